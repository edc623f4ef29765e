"""An evaluation of the smoke run: valid files, figures that can be recomputed, and refusals that write nothing."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest

from medqa_core.answering import generate
from medqa_core.data import starter
from medqa_core.data.pairs import references_of
from medqa_core.evaluation import loss
from medqa_core.evaluation.evaluate import PARTIAL, evaluate, judge_again
from medqa_core.evaluation.loss import answer_losses
from medqa_core.evaluation.tables import judged
from medqa_core.evaluation.text_metrics import answer_scores
from medqa_core.foundation.errors import DataUnavailable, InputError, UnreadableFile
from medqa_core.foundation.files import read_json, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import encode_example
from medqa_core.models.variants import VARIANTS, load_variants
from medqa_core.runs.artifacts.manifest import write_manifest
from medqa_core.runs.artifacts.mmlu import RESULTS, write_answers
from medqa_core.runs.artifacts.predictions import SCHEMA, read_predictions
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import ANSWER_SCORES, Evaluation, MetricName, MMLUProtocol
from medqa_core.runs.schema.record import ImportRecord, RunRecord
from medqa_core.runs.schema.status import ProcessIdentity, Status, now
from medqa_core.runs.store.run_store import RunStore

pytestmark = pytest.mark.usefixtures("no_network")


def begins(begun: dict[str, int]) -> Callable[[str, int, int], None]:
    """Notes where each stage begins."""

    def progress(stage: str, done: int, _: int) -> None:
        begun.setdefault(stage, done)

    return progress


@pytest.fixture
def bare(smoke: Run, tmp_path: Path) -> Run:
    """The smoke run before its evaluation, in a store of its own."""
    skip = shutil.ignore_patterns("evaluation.json", "predictions.parquet")
    shutil.copytree(smoke.folder, tmp_path / "reports" / "smoke", ignore=skip)
    return RunStore(tmp_path / "reports").open("smoke")


def names(run: Run) -> set[str]:
    return {path.name for path in run.folder.iterdir()}


def mmlu_answers(run: Run, sha256: str) -> None:
    """Forty MMLU answers and the harness's results of them, as of weights with that sum."""
    choices = [n % 4 for n in range(40)]
    letters = {f"{variant}_logprob_{letter}": [-1.0] * 40 for variant in VARIANTS for letter in "abcd"}
    columns = {"subset": "anatomy", "question": range(40), "target": choices, "base_choice": 0}
    write_answers(run.folder, pd.DataFrame({**columns, "fine_tuned_choice": choices, **letters}))
    tuned = {
        "results": {"mmlu_anatomy": {"acc,none": 1.0}},
        "n-shot": {"mmlu_anatomy": 0},
        "config": {"model_args": {"fine_tuned_sha256": sha256}},
    }
    write_json(run.folder / RESULTS, {"base": {"results": {"mmlu_anatomy": {"acc,none": 0.25}}}, "fine_tuned": tuned})


def test_evaluation_json_is_valid_and_whole(smoke: Run) -> None:
    raw = read_json(smoke.folder / "evaluation.json")
    evaluation = smoke.evaluation()
    assert evaluation == Evaluation.model_validate(raw)
    assert evaluation is not None
    assert smoke.snapshot().problems == ()
    assert raw["schema_version"] == 3
    assert evaluation.primary_metric == "loss"
    assert set(evaluation.metrics) == {*get_args(MetricName)} - {"mmlu"}
    assert {metric.n for name, metric in evaluation.metrics.items() if name != "specifics"} == {12}
    fields = {"base", "fine_tuned", "difference", "ci", "level", "p", "n", "groups", "verdict", "min_detectable_effect"}
    assert all(fields <= set(metric) for metric in raw["metrics"].values())
    assert evaluation.metrics["loss"].verdict in ("better", "cannot tell")  # twelve questions
    assert (evaluation.metrics["loss"].difference or 0) < 0
    assert evaluation.protocol.prompt == "chat"
    assert evaluation.protocol.decoding is not None
    assert (evaluation.protocol.decoding.max_new_tokens, evaluation.protocol.decoding.precision) == (16, "float32")
    assert smoke.record.base_model is not None
    assert evaluation.protocol.base_sha256 == smoke.record.base_model.sha256
    for generation in (evaluation.base_generation, evaluation.fine_tuned_generation):
        assert generation is not None
        assert 0 < generation.mean_tokens <= 16


def test_predictions_have_a_row_for_each_test_question(smoke: Run) -> None:
    rows = read_predictions(smoke.folder)
    assert rows.columns.tolist() == SCHEMA.names
    ends = ("_nearest", "_specifics", "_answer_id", "_in_passages", "_supported", "_cited")
    optional = [n for n in SCHEMA.names if n.endswith(ends) or n.startswith("top_passage_") or n == "passages"]
    assert not rows.drop(columns=optional).isna().any().any()
    assert smoke.record.data is not None
    assert smoke.record.data.split is not None
    assert len(rows) == smoke.record.data.split.test == 12
    assert rows["question_id"].is_unique
    known = {pair.id: pair for pair in starter.load().pairs}
    row: Any  # pandas knows no types of columns
    for row in rows.itertuples():
        pair = known[row.question_id]
        assert (row.question_type, row.source) == (pair.question_type, "starter")
        assert 0 < row.reference_bytes <= len(pair.answer)
        assert row.train_overlap == 0
        assert row.references == 1
        assert 0 <= row.fine_tuned_copied_share <= 1
        assert 0 <= row.fine_tuned_repetition <= 1


def test_every_figure_can_be_recomputed_from_the_predictions(smoke: Run) -> None:
    rows, evaluation = read_predictions(smoke.folder), smoke.evaluation()
    assert evaluation is not None
    found = judged(rows, "loss")
    assert found.metrics == evaluation.metrics
    assert found.by_question_type == evaluation.by_question_type
    assert found.by_source == evaluation.by_source
    assert found.clean == evaluation.clean == evaluation.metrics  # the starter set shares no 13-gram
    assert evaluation.by_question_type_correction == "holm"
    nats = (rows["fine_tuned_loss"] * rows["reference_tokens"]).sum()
    assert evaluation.metrics["loss"].fine_tuned == pytest.approx(nats / rows["reference_tokens"].sum())
    assert evaluation.metrics["perplexity"].fine_tuned == pytest.approx(math.exp(nats / rows["reference_tokens"].sum()))
    assert evaluation.metrics["bits_per_byte"].fine_tuned == pytest.approx(
        nats / math.log(2) / rows["reference_bytes"].sum()
    )
    assert evaluation.metrics["rougeL"].base == pytest.approx(rows["base_rougeL"].mean())
    assert evaluation.base_generation is not None
    assert evaluation.base_generation.mean_tokens == pytest.approx(rows["base_answer_tokens"].mean())


def test_every_row_can_be_recomputed_from_the_models(smoke: Run, lab: Settings) -> None:
    rows = read_predictions(smoke.folder)
    pair, config = load_variants(smoke, lab), smoke.record.config
    assert config is not None
    known = {pair.id: pair for pair in starter.load().pairs}
    questions = [known[id_] for id_ in rows["question_id"]]
    examples = [
        encode_example(pair.tokenizer, q.question, q.answer, "chat", config.max_tokens, end=False) for q in questions
    ]
    for variant in VARIANTS:
        with pair.using(variant) as model:
            losses = answer_losses(model, examples)
        assert [loss.mean for loss in losses] == pytest.approx(rows[f"{variant}_loss"].tolist(), abs=1e-5)
        assert [loss.tokens for loss in losses] == rows["reference_tokens"].tolist()
        scores = answer_scores(rows[f"{variant}_answer"].tolist(), references_of(questions, starter.load().pairs))
        for name in ANSWER_SCORES:
            assert [score[name] for score in scores] == rows[f"{variant}_{name}"].tolist()


def test_evaluating_again_gives_the_same(bare: Run, smoke: Run, lab: Settings) -> None:
    stages: list[tuple[str, int, int]] = []
    again = evaluate(bare, lab, lambda *event: stages.append(event))
    first = smoke.evaluation()
    assert first is not None
    assert again.metrics == first.metrics
    assert read_predictions(bare.folder).equals(read_predictions(smoke.folder))
    measuring = [event for event in stages if event[2] in (12, 24)]  # losses under two questions each
    assert list(dict.fromkeys((stage, total) for stage, _, total in measuring)) == [
        ("base_loss", 24), ("fine_tuned_loss", 24), ("base_answers", 12), ("fine_tuned_answers", 12),
    ]  # fmt: skip
    assert all(0 <= done <= total for _, done, total in measuring)
    assert measuring[-1] == ("fine_tuned_answers", 12, 12)
    assert stages[-1] == ("scores and copies", 1, 1)
    assert PARTIAL not in names(bare)


@pytest.mark.parametrize("stop_at", ["base_loss", "base_answers", "fine_tuned_loss", "fine_tuned_answers"])
def test_an_interrupted_evaluation_goes_on_where_it_was(
    bare: Run, smoke: Run, lab: Settings, monkeypatch: pytest.MonkeyPatch, stop_at: str
) -> None:
    monkeypatch.setattr(loss, "TOKEN_BUDGET", 300)
    monkeypatch.setattr(generate, "BATCH", 5)

    def stop(stage: str, done: int, total: int) -> None:
        if stage == stop_at and 0 < done < total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(bare, lab, stop)
    assert PARTIAL in names(bare)
    assert not {"evaluation.json", "predictions.parquet"} & names(bare)
    begun: dict[str, int] = {}
    again = evaluate(bare, lab, begins(begun))
    assert begun[stop_at] > 0  # what was measured before counts
    whole = smoke.evaluation()
    assert whole is not None
    assert again.metrics["rougeL"] == whole.metrics["rougeL"]
    assert again.metrics["loss"].difference == pytest.approx(whole.metrics["loss"].difference, abs=1e-5)
    assert PARTIAL not in names(bare)


def test_what_was_measured_can_be_judged_again(bare: Run, smoke: Run) -> None:
    shutil.copy(smoke.folder / "predictions.parquet", bare.folder)
    assert judge_again(bare).metrics == (smoke.evaluation() or pytest.fail("no evaluation")).metrics
    assert bare.evaluation() is not None


def test_without_its_rows_an_evaluation_stays_as_it_was(bare: Run, smoke: Run) -> None:
    shutil.copy(smoke.folder / "evaluation.json", bare.folder)
    mmlu_answers(bare, sha256=(smoke.evaluation() or pytest.fail()).protocol.fine_tuned_sha256 or "")
    again, before = judge_again(bare), smoke.evaluation()
    assert before is not None
    assert again.metrics == {**before.metrics, "mmlu": again.metrics["mmlu"]}
    assert again.by_question_type == before.by_question_type
    assert again.protocol.mmlu == MMLUProtocol(scoring="letter", shots=0)


def test_mmlu_of_other_weights_does_not_count(bare: Run, smoke: Run) -> None:
    for name in ("evaluation.json", "predictions.parquet"):
        shutil.copy(smoke.folder / name, bare.folder)
    mmlu_answers(bare, sha256="ab" * 32)
    assert "mmlu" not in judge_again(bare).metrics


def test_an_evaluation_that_cannot_be_read_is_not_replaced(bare: Run, smoke: Run) -> None:
    shutil.copy(smoke.folder / "predictions.parquet", bare.folder)
    (bare.folder / "evaluation.json").write_text("{")
    with pytest.raises(UnreadableFile, match=r"evaluation\.json is not valid JSON"):
        judge_again(bare)
    assert (bare.folder / "evaluation.json").read_text() == "{"


def test_new_results_take_the_outdated_manifest_away(bare: Run, smoke: Run) -> None:
    shutil.copy(smoke.folder / "predictions.parquet", bare.folder)
    write_manifest(bare.folder)
    judge_again(bare)
    assert "manifest.json" not in names(bare)


def test_nothing_measured_is_nothing_to_judge(bare: Run) -> None:
    with pytest.raises(InputError, match="smoke has not been measured"):
        judge_again(bare)
    assert "evaluation.json" not in names(bare)


def test_answers_can_be_kept(bare: Run, smoke: Run, lab: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("evaluation.json", "predictions.parquet"):
        shutil.copy(smoke.folder / name, bare.folder)
    monkeypatch.setattr("medqa_core.evaluation.evaluate.measure_answers", lambda *_: pytest.fail("asked again"))
    again, first = evaluate(bare, lab, keep_answers=True), smoke.evaluation()
    assert first is not None
    assert (again.metrics, again.controls, again.references) == (first.metrics, first.controls, first.references)
    assert again.base_generation == first.base_generation and again.protocol == first.protocol


def test_answers_of_nothing_or_of_another_prompt_cannot_be_kept(bare: Run, smoke: Run, lab: Settings) -> None:
    with pytest.raises(InputError, match="smoke has no answers of the weights that it has now"):
        evaluate(bare, lab, keep_answers=True)
    shutil.copy(smoke.folder / "predictions.parquet", bare.folder)
    value = read_json(smoke.folder / "evaluation.json")
    value["protocol"]["prompt"] = "plain"
    write_json(bare.folder / "evaluation.json", value)
    with pytest.raises(InputError, match="smoke was asked in another way than it would be now"):
        evaluate(bare, lab, keep_answers=True)


def test_content_controls_and_the_topics_worth_are_measured(smoke: Run) -> None:
    evaluation, rows = smoke.evaluation(), read_predictions(smoke.folder)
    assert evaluation is not None
    assert list(evaluation.controls) == ["template_answer", "nearest_answer"]
    assert evaluation.controls["template_answer"].answered == 12
    assert evaluation.references is not None
    assert evaluation.references.scored_share == pytest.approx(
        rows["reference_bytes"].sum() / rows["reference_all_bytes"].sum()
    )
    assert evaluation.fine_tuned_generation is not None
    assert evaluation.fine_tuned_generation.ended_share == float((rows["fine_tuned_answer_tokens"] < 16).mean())
    protocol = evaluation.protocol
    assert protocol.controls is not None and protocol.controls.most_words == 10
    assert protocol.other_topic is not None and protocol.other_topic.questions == 12
    for row in rows.to_dict("records"):
        nats = row["fine_tuned_nats"]
        assert len(nats) == len(row["reference_token_ends"]) == row["reference_tokens"]
        assert nats.mean() / 1000 == pytest.approx(row["fine_tuned_loss"], abs=6e-4)
        own = nats[: row["other_tokens"]].mean() / 1000
        assert row["fine_tuned_topic_information"] == pytest.approx(row["fine_tuned_other_loss"] - own)
        assert row["other_question"] != row["question_id"]


def test_eight_bit_answers_are_declared(bare: Run, lab: Settings) -> None:
    decoding = evaluate(bare, lab, precision="int8").protocol.decoding
    assert decoding is not None and decoding.precision == "int8"


def test_an_adapter_that_changes_nothing_is_not_judged_better_or_worse(bare: Run, lab: Settings) -> None:
    from safetensors.torch import load_file, save_file

    path = bare.folder / "adapter" / "adapter_model.safetensors"
    save_file({name: tensor * 0 for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})
    metrics = evaluate(bare, lab).metrics
    assert {metric.difference for metric in metrics.values()} == {0}
    assert {metric.verdict for metric in metrics.values()} <= {"equivalent", "cannot tell"}


def test_an_imported_run_cannot_be_evaluated(tmp_path: Path, lab: Settings) -> None:
    record = RunRecord(
        id="theirs", title="Theirs", kind="imported", created_at=now(),
        imported=ImportRecord(format="summary", source="summary.txt"),
    )  # fmt: skip
    run = RunStore(tmp_path).create(record)
    with pytest.raises(InputError, match="theirs is an imported run"):
        evaluate(run, lab)
    assert names(run) == {"run.json"}


def test_another_split_than_the_runs_is_refused(bare: Run, lab: Settings) -> None:
    record = read_json(bare.folder / "run.json")
    record["data"]["split_hash"] = "ab" * 32
    write_json(bare.folder / "run.json", record)
    before = names(bare)
    with pytest.raises(DataUnavailable, match=r"but smoke was trained on abababababab…: .* it is not used"):
        evaluate(RunStore(bare.folder.parent).open("smoke"), lab)
    assert names(bare) == before


def test_changed_data_are_noticed(bare: Run, lab: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from medqa_core.data import sources

    data = starter.load()
    edited = replace(data, pairs=tuple(replace(pair, answer=pair.answer + " Really.") for pair in data.pairs))
    monkeypatch.setattr(sources, "_starter", lambda: edited)
    with pytest.raises(DataUnavailable, match="it is not used"):
        evaluate(bare, lab)
    assert "evaluation.json" not in names(bare)


def test_a_run_that_is_still_trained_is_not_measured(bare: Run, lab: Settings) -> None:
    status = Status(state="running", process=ProcessIdentity.current())
    write_json(bare.folder / "status.json", json.loads(status.model_dump_json()))
    with pytest.raises(InputError, match="smoke is still running"):
        evaluate(bare, lab)
    assert "evaluation.json" not in names(bare)
