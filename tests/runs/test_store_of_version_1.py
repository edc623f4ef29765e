"""A run store that MedQA Lab 0.1 wrote opens whole: every file, every figure, and what it left unfinished goes on."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import lm_eval
import pandas as pd
import pytest

from medqa_core.answering import generate, openvino_decoder
from medqa_core.answering.retrieval.retriever import by_words, retriever_for
from medqa_core.evaluation import loss
from medqa_core.evaluation.continuations import Forward, Row
from medqa_core.evaluation.evaluate import evaluate, judge_again
from medqa_core.evaluation.mmlu import measure_mmlu
from medqa_core.evaluation.verify import verify
from medqa_core.evaluation.with_sources import evaluate_with_sources
from medqa_core.foundation.files import read_json
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.queue import entries
from medqa_core.report import writer
from medqa_core.report.archive import members
from medqa_core.report.wording.protocol import protocol_lines
from medqa_core.runs.artifacts.int8 import read_int8
from medqa_core.runs.artifacts.job import read_job
from medqa_core.runs.artifacts.manifest import check_manifest
from medqa_core.runs.artifacts.retrieval import read_retrieval
from medqa_core.runs.artifacts.votes import read_votes
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import (
    BaseLosses,
    Correction,
    Decoding,
    Metrics,
    MMLUProtocol,
    Protocol,
    Resampling,
    RetrievalProtocol,
    Rouge,
    TokenF1,
)
from medqa_core.runs.schema.upgrade_protocol import upgrade_protocol
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training.train import resume, train
from tests.support.mmlu_folder import write_mmlu

pytestmark = pytest.mark.usefixtures("no_network", "own_memory")

SUPPORT = Path(__file__).parents[1] / "support"
STORE = SUPPORT / "store_v1"
PARTIALS = SUPPORT / "partials_v1"
RENAMED = {
    "objective": "description",
    "accumulation": "gradient_accumulation_steps",
    "pass_tokens": "max_tokens_per_forward",
    "smallest_detectable": "min_detectable_effect",
    "questions_to_settle": "required_n",
    "grounded": "with_sources",
    "seconds_a_question": "seconds_per_question",
}
BASE = "019c5da01467449929540ed3e38952b2cb22f611714250c0835d21a7b9059179"
TUNED = "1c5f89462cda2a63fbf952fe652f8d5bfb52e3082743e04c07fef52c6a9dccdf"
DECODING = Decoding(max_new_tokens=16, engine="CTranslate2 4.8.5", precision="float32")


@pytest.fixture
def settings(lab: Settings, tmp_path: Path) -> Settings:
    """A copy of the store, with the session's cache."""
    shutil.copytree(STORE, tmp_path / "reports")
    return replace(lab, reports=tmp_path / "reports")


@pytest.fixture
def run(settings: Settings) -> Run:
    """The copy's run that has everything."""
    return RunStore(settings.reports).open("smoke")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every figure and text of a file by its place, with the names of today, but for the protocol's sentences."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in ("protocol", "schema_version"):
                yield from leaves(inner, (*path, RENAMED.get(name, name)))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path, value


def raw(run: Run, name: str) -> Any:
    value = read_json(STORE / run.id / name)
    assert value["schema_version"] == 1
    return value


def test_the_store_lists_its_runs() -> None:
    listed = {entry.id: (entry.state, entry.problem) for entry in RunStore(STORE).list()}
    assert listed == {"smoke": ("completed", None), "stopped": ("stopped", None), "waiting": ("queued", None)}


def test_every_figure_stands_where_the_new_names_say(run: Run) -> None:
    evaluation = run.evaluation()
    assert evaluation is not None
    found = {
        "run.json": run.record,
        "evaluation.json": evaluation,
        "retrieval.json": read_retrieval(run.folder).value,
        "int8.json": read_int8(run.folder).value,
        "status.json": run.status(),
    }
    for name, record in found.items():
        assert record is not None, name
        stated = dict(leaves(raw(run, name)))
        read = dict(leaves(record.model_dump(mode="json")))
        assert len(stated) > 15
        assert {path: read[path] for path in stated} == stated
    assert run.snapshot().problems == ()


def test_every_row_is_read(run: Run) -> None:
    predictions, with_sources, answers = run.predictions(), run.with_sources(), run.mmlu_answers()
    assert predictions is not None and with_sources is not None and answers is not None
    for frame, name in ((predictions, "predictions"), (with_sources, "grounded"), (answers, "mmlu_results/answers")):
        stored = pd.read_parquet(STORE / "smoke" / f"{name}.parquet")
        pd.testing.assert_frame_equal(frame[stored.columns.tolist()], stored, check_dtype=False)
    assert run.trials() == (
        ("Recipe", "Loss before", "Loss after"),
        ("adapter of rank 4", "6.71", "6.59"),
        ("adapter of rank 8, half the rate", "6.71", "6.65"),
    )
    [vote] = read_votes(run.folder).value
    assert (vote.winner, vote.fine_tuned_sha256) == ("fine_tuned", TUNED)
    curve = [json.loads(line) for line in (STORE / "smoke" / "metrics.jsonl").read_text().splitlines()]
    trained = [row["loss"] for row in curve if row["split"] == "train"]
    assert run.metrics_log().train.columns["loss"].tolist() == trained
    results = run.mmlu()
    assert results is not None and len(results.fine_tuned) == 6
    assert run.snapshot().problems == ()


def test_the_protocol_s_sentences_become_fields(run: Run) -> None:
    evaluation = run.evaluation()
    assert evaluation is not None and evaluation.with_sources is not None
    assert evaluation.protocol == Protocol(
        prompt="chat",
        loss_tokens=128,
        decoding=DECODING,
        rouge=Rouge(),
        token_f1=TokenF1(),
        copied_words=8,
        base_losses=BaseLosses(by_prompt={"chat": 6.7175, "plain": 6.7144}, questions=12),
        resampling=Resampling(level=0.95),
        correction=Correction(over=("secondary metrics", "question types", "sources"), level_without_primary=0.01),
        mmlu=MMLUProtocol(scoring="letter", shots=0),
        base_sha256=BASE,
        fine_tuned_sha256=TUNED,
    )
    assert evaluation.with_sources.protocol == Protocol(
        decoding=DECODING,
        retrieval=RetrievalProtocol(passages=3, method="BM25", test_documents_held_out=True),
        correction=Correction(over=("compared models",)),
        base_sha256=BASE,
        fine_tuned_sha256=TUNED,
    )


@pytest.mark.parametrize(
    ("name", "text", "fields"),
    [
        ("prompt", "plain, for both models", {"prompt": "plain"}),
        (
            "decoding",
            "greedy, at most 128 new tokens, transformers 5.23.0, float32",
            {"decoding": {"max_new_tokens": 128, "engine": "transformers 5.23.0", "precision": "float32"}},
        ),
        (
            "decoding",
            "greedy, at most 96 new tokens, CTranslate2 4.8.5, int8",
            {"decoding": {"max_new_tokens": 96, "engine": "CTranslate2 4.8.5", "precision": "int8"}},
        ),
        (
            "base_loss_by_prompt",
            "plain nan (32 validation questions)",
            {"base_losses": {"by_prompt": {"plain": None}, "questions": 32}},
        ),
        (
            "mmlu",
            "cloze scoring, 5 examples in the prompt",
            {"mmlu": {"scoring": "cloze", "shots": 5}},
        ),
        (
            "mmlu",
            "Right answers over all questions of the subsets in the file, computed on import.",
            {"mmlu": {"pooled_on_import": True}},
        ),
        (
            "passages",
            "at most 3 a question, no two of one answer, found by embeddings in the training answers; 200 of the 750 "
            "test questions, drawn by lot",
            {
                "retrieval": {
                    "passages": 3, "method": "embeddings", "test_documents_held_out": False, "asked": 200, "of": 750,
                }
            },
        ),
        ("weights", "those of the base model", {}),
    ],
)  # fmt: skip
def test_each_sentence_of_0_1(name: str, text: str, fields: dict[str, Any]) -> None:
    assert upgrade_protocol({name: text}) == fields
    Protocol.model_validate(fields)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("decoding", "greedy"),
        ("decoding", "greedy, at most 0 new tokens, CTranslate2 4.8.5, float32"),
        ("decoding", "greedy, at most 16 new tokens, CTranslate2 4.8.5, float32\n"),
        ("prompt", "chat, for both models, int8"),
        ("rouge", "rouge_score F-measure with stemming, against the whole reference answer"),
        ("mmlu", "letter scoring"),
        ("base_loss_by_prompt", "chat 2.41, plain 2.43 (32 validation questions)"),
        ("tokenizer", "int8"),
    ],
)
def test_what_0_1_did_not_write_is_kept_in_its_own_words(name: str, text: str) -> None:
    kept = Protocol.model_validate(upgrade_protocol({name: text, "base_sha256": BASE}))
    assert kept == Protocol(base_sha256=BASE, notes={name: text})
    assert protocol_lines(kept)[-1] == (name.replace("_", " ").capitalize(), text.strip())


def test_verify_passes(run: Run, settings: Settings) -> None:
    checks = {check.name: (check.passed, check.detail) for check in verify(run, settings)}
    # 0.1 left no record, no write-ups are there, and it did not measure content.
    missing = {"training record": None, "write-ups": None, "content and controls": None}
    assert {name: passed for name, (passed, _) in checks.items() if passed is not True} == missing, checks
    assert "versions before 0.3 left no record" in checks["training record"][1]
    assert checks["validation loss"][0] is True  # what its weights rest on instead
    assert check_manifest(run.folder) == []


def test_a_damaged_file_of_an_older_name_is_said_by_that_name(run: Run, settings: Settings) -> None:
    for name in ("grounded.parquet", "tried.csv"):
        (run.folder / name).write_bytes(b"\xff")
    assert run.with_sources() is None and run.trials() == ()
    assert [problem.split(" ")[0] for problem in run.snapshot().problems] == ["grounded.parquet", "tried.csv"]
    checks = {check.name: check for check in verify(run, settings)}
    assert checks["evaluation.json"].passed is False
    assert checks["evaluation.json"].detail.startswith("grounded.parquet is damaged")


def test_a_change_of_a_file_of_an_older_name_is_seen(run: Run) -> None:
    hours_ago = run.folder.stat().st_mtime - 7200
    for name in ("grounded.parquet", "tried.csv"):
        os.utime(run.folder / name, (hours_ago, hours_ago))
    before = run.snapshot()
    assert before.with_sources_rows is not None and len(before.trials) == 3
    (run.folder / "tried.csv").write_text("Recipe,Loss after\nadapter of rank 2,6.7\n", "utf-8")
    (run.folder / "grounded.parquet").unlink()
    after = run.snapshot()
    assert (after.with_sources_rows, after.trials) == (None, (("Recipe", "Loss after"), ("adapter of rank 2", "6.7")))


def test_it_is_written_up_and_packed(run: Run) -> None:
    writer.write(run)
    assert run.snapshot().problems == ()
    text = (run.folder / "summary.txt").read_text("utf-8")
    assert "greedy, at most 16 new tokens, CTranslate2 4.8.5, float32" in text
    assert "adapter of rank 8, half the rate" in text
    assert {"grounded.parquet", "tried.csv"} <= set(members(run))
    assert check_manifest(run.folder) == []


def figures(metrics: Metrics) -> dict[str, tuple[float | None, ...]]:
    """What was measured; intervals and verdicts are the rule's, which has changed since."""
    return {name: (metric.base, metric.fine_tuned, metric.difference, metric.n) for name, metric in metrics.items()}


def test_judged_again_it_is_of_today(run: Run) -> None:
    before = run.evaluation()
    again = judge_again(run)
    assert before is not None
    assert again.with_sources is not None and before.with_sources is not None
    assert figures(again.with_sources.against_base) == figures(before.with_sources.against_base)
    assert figures(again.with_sources.against_fine_tuned) == figures(before.with_sources.against_fine_tuned)
    # Two models at chance are no longer called equivalent.
    assert (before.metrics["mmlu"].verdict, again.metrics["mmlu"].verdict) == ("equivalent", "cannot tell")
    now_measured = figures(again.metrics)
    for name, measured in figures(before.metrics).items():
        assert now_measured[name] == pytest.approx(measured)
    value = read_json(run.folder / "evaluation.json")
    assert value["schema_version"] == 3
    assert value["protocol"]["decoding"]["engine"] == "CTranslate2 4.8.5"
    assert run.evaluation() == again


def test_evaluated_again_it_keeps_what_is_comparable(run: Run, settings: Settings) -> None:
    before = run.evaluation()
    assert before is not None and before.protocol.decoding is not None
    again = evaluate(run, settings)
    assert again.protocol.base_losses == before.protocol.base_losses
    assert again.protocol.decoding is not None
    assert again.protocol.decoding.engine != before.protocol.decoding.engine and again.with_sources is None
    assert read_json(run.folder / "evaluation.json")["schema_version"] == 3


def test_what_is_measured_again_takes_the_place_of_the_older_name(run: Run, settings: Settings) -> None:
    evaluate_with_sources(run, settings)
    names = {path.name for path in run.folder.iterdir()}
    assert "with_sources.parquet" in names and "grounded.parquet" not in names
    assert run.with_sources() is not None and run.snapshot().problems == ()


def left_behind(run: Run, name: str, to: str) -> None:
    """A partial file of 0.1, of the harness that is installed here: another version would start anew."""
    text = (PARTIALS / name).read_text("utf-8")
    (run.folder / to).write_text(text.replace('"lm_eval": "0.4.13"', f'"lm_eval": "{lm_eval.__version__}"'), "utf-8")


def begun(call: Any) -> dict[str, int]:
    """How many questions each stage began with."""
    stages: dict[str, int] = {}
    call(lambda stage, done, _: stages.setdefault(stage, done) and None)
    return stages


def test_what_another_engine_began_starts_anew(run: Run, settings: Settings) -> None:
    left_behind(run, "evaluation.jsonl", ".evaluation.jsonl")
    assert begun(lambda progress: evaluate(run, settings, progress))["base_loss"] == 0


def test_interrupted_measurements_go_on(run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_decoder, "NAME", DECODING.engine)  # as if the engine were still that of 0.1
    monkeypatch.setattr(loss, "TOKEN_BUDGET", 300)
    monkeypatch.setattr(generate, "BATCH", 5)
    left_behind(run, "evaluation.jsonl", ".evaluation.jsonl")
    stages = begun(lambda progress: evaluate(run, settings, progress))
    # Losses are computed again: 0.1 did not keep those of single tokens.
    assert (stages["base_loss"], stages["base_answers"], stages["fine_tuned_loss"]) == (0, 12, 0)
    assert 0 < stages["fine_tuned_answers"] < 12

    left_behind(run, "grounded.jsonl", ".grounded.jsonl")
    ranked = by_words(retriever_for(run, settings))  # as passages were in 0.1: ranked anew, other ones would be read
    stages = begun(lambda progress: evaluate_with_sources(run, settings, progress, retriever=ranked))
    assert stages["with_sources_answers"] == 5
    assert not list(run.folder.rglob(".*.jsonl"))


def test_an_interrupted_mmlu_goes_on(run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    compute = Forward.scores

    def counted(self: Forward, rows: Sequence[Row], shared: int = 0) -> Iterator[Any]:
        read.append(len(rows))
        return compute(self, rows, shared)

    monkeypatch.setattr(Forward, "scores", counted)
    asked = replace(settings, mmlu=write_mmlu(settings.reports.parent / "mmlu", 4))
    left_behind(run, "mmlu.jsonl", "mmlu_results/.partial.jsonl")
    measure_mmlu(run, asked, scoring="letter")
    answered = (len((PARTIALS / "mmlu.jsonl").read_text("utf-8").splitlines()) - 1) // 4
    assert sum(read) == 2 * 24 - answered
    assert not list(run.folder.rglob(".*.jsonl"))


def test_a_partial_file_of_nothing_known_starts_anew(run: Run, settings: Settings) -> None:
    (run.folder / ".evaluation.jsonl").write_text('{"prompt": 3}\n{"stage": "base: loss", "values": {}}\n', "utf-8")
    assert begun(lambda progress: evaluate(run, settings, progress))["base_loss"] == 0


def test_a_waiting_run_keeps_its_place_and_is_trained(settings: Settings) -> None:
    [entry] = entries(settings)
    waiting = entry.run
    assert waiting.record.config is not None
    assert waiting.record.config.max_tokens_per_forward == raw(waiting, "run.json")["config"]["pass_tokens"] == 512
    job = read_job(waiting.folder).value
    assert job is not None and job.estimate is not None
    found = dict(leaves(job.estimate.model_dump(mode="json")))
    assert (found.pop(("computed",)), found.pop(("precision",))) == (None, None)  # not measured then
    assert found == dict(leaves(raw(waiting, "job.json")["estimate"]))


def test_a_stopped_run_is_resumed(settings: Settings) -> None:
    stopped = RunStore(settings.reports).open("stopped")
    run = resume(stopped, settings)
    status = run.status()
    assert status is not None and status.best is not None and run.state() == "completed"
    assert (status.step, status.attempt) == (12, 2)
    whole = RunStore(STORE).open("smoke").status()
    assert whole is not None and whole.best is not None
    assert status.best.validation_loss == pytest.approx(whole.best.validation_loss, abs=1e-4)
    assert run.record == RunStore(STORE).open("stopped").record


def test_what_is_written_today_is_of_schema_2(settings: Settings) -> None:
    config = RunStore(STORE).open("smoke").record.config
    assert config is not None
    made = train(config, settings, run_id="new")
    value = read_json(made.folder / "run.json")
    assert value["schema_version"] == 2
    assert not {"objective", "accumulation", "pass_tokens"} & {*value, *value["config"]}
