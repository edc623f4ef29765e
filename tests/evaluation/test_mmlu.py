"""MMLU of the smoke run: valid files whose figures agree, an interruption that costs one batch, clear refusals."""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medqa_core.evaluation import mmlu_data
from medqa_core.evaluation.continuations import Forward, Row
from medqa_core.evaluation.mmlu import PARTIAL, measure_mmlu
from medqa_core.evaluation.recompute import mmlu_problem
from medqa_core.foundation.errors import DataUnavailable, InputError, UnknownName
from medqa_core.foundation.files import loads, read_json, write_json
from medqa_core.foundation.progress import StageProgress
from medqa_core.foundation.settings import Settings
from medqa_core.models.incoming.import_model import import_model
from medqa_core.report.facts import Facts
from medqa_core.report.views.choices import scorings
from medqa_core.report.wording.stages import stage_text
from medqa_core.runs.artifacts.mmlu import SUBSETS, accuracy, at_chance, choices_by, read_answers, scored
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import EvaluationConfig
from medqa_core.runs.schema.evaluation import MMLUProtocol, Scoring
from medqa_core.runs.schema.record import ImportRecord, RunRecord
from medqa_core.runs.schema.status import ProcessIdentity, Status, now
from medqa_core.runs.store.run_store import RunStore
from tests.support.foreign_models import ASKED, lora, rows, toy_folder
from tests.support.mmlu_folder import write_mmlu

pytestmark = pytest.mark.usefixtures("no_network")

QUESTIONS = 4


@pytest.fixture(scope="module")
def settings(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return replace(lab, mmlu=write_mmlu(tmp_path_factory.mktemp("mmlu"), QUESTIONS))


@pytest.fixture(scope="module")
def measured(smoke: Run, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy of the smoke run, measured without interruption. To be read only."""
    run = copy_of(smoke, tmp_path_factory.mktemp("measured"))
    measure_mmlu(run, settings, scoring="letter", fresh=True)
    return run


@pytest.fixture
def bare(smoke: Run, tmp_path: Path) -> Run:
    return copy_of(smoke, tmp_path)


@pytest.fixture
def rows_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each batch of the models had."""
    read: list[int] = []
    scores = Forward.scores

    def counted(self: Forward, rows: Sequence[Row], shared: int = 0) -> Iterator[Any]:
        for batch in scores(self, rows, shared):
            read.append(len(batch[0]))
            yield batch

    monkeypatch.setattr(Forward, "scores", counted)
    return read


def copy_of(run: Run, folder: Path) -> Run:
    shutil.copytree(run.folder, folder / "reports" / run.id)
    return RunStore(folder / "reports").open(run.id)


def interrupting(after: int) -> StageProgress:
    """A progress that is interrupted once `after` questions of the fine-tuned model are answered."""

    def heard(stage: str, done: int, total: int) -> None:
        if stage == "fine_tuned_mmlu" and done >= after:
            raise KeyboardInterrupt

    return heard


def test_results_are_the_harness_s_and_agree_with_the_answers(measured: Run) -> None:
    raw = read_json(measured.folder / "mmlu_results" / "results.json")
    results, answers = measured.mmlu(), measured.mmlu_answers()
    assert results is not None and results.base is not None and answers is not None
    assert measured.snapshot().problems == ()
    assert [score.subset for score in results.fine_tuned] == sorted(SUBSETS)
    for variant, scores in (("base", results.base), ("fine_tuned", results.fine_tuned)):
        assert {score.n for score in scores} == {QUESTIONS}
        assert results.pooled(scores) == pytest.approx(accuracy(answers, variant))
        for score in scores:
            of_subset = answers[answers["subset"] == score.subset]
            assert score.accuracy == pytest.approx(accuracy(of_subset, variant))
        nats = answers[[f"{variant}_logprob_{letter}" for letter in "abcd"]].to_numpy()
        assert np.isfinite(nats).all() and (nats < 0).all()
        assert answers[f"{variant}_choice"].tolist() == nats.argmax(axis=1).tolist()
        assert raw[variant]["n-shot"] == {f"mmlu_{subset}": 0 for subset in SUBSETS}
        assert raw[variant]["config"]["apply_chat_template"] is False
        assert raw[variant]["lm_eval_version"] == "0.4.13"
    assert len(answers) == len(SUBSETS) * QUESTIONS
    assert answers["question"].tolist() == list(range(QUESTIONS)) * len(SUBSETS)
    assert answers["target"].tolist() == [0, 1, 2, 3] * len(SUBSETS)
    assert not answers["base_logprob_a"].equals(answers["fine_tuned_logprob_a"])


def test_results_say_nothing_of_the_machine_or_the_questions(measured: Run, settings: Settings) -> None:
    folder = measured.folder / "mmlu_results"
    assert {path.name for path in folder.iterdir()} == {"results.json", "answers.parquet"}
    text = (folder / "results.json").read_text("utf-8")
    loads(text)
    assert str(settings.mmlu) not in text
    assert re.search(r'"(/|[A-Z]:)|0x[0-9a-f]{6}|def |asthma', text) is None
    for word in ("git_hash", "date", "doc_hash", "pretty_env_info", "custom_dataset"):
        assert f'"{word}"' not in text
    assert b"asthma" not in (folder / "answers.parquet").read_bytes()


def test_measuring_again_gives_the_same_bytes(measured: Run, bare: Run, settings: Settings) -> None:
    stages: list[tuple[str, int, int]] = []
    measure_mmlu(bare, settings, scoring="letter", progress=lambda *event: stages.append(event))
    for name in ("results.json", "answers.parquet"):
        ours, theirs = ((run.folder / "mmlu_results" / name).read_bytes() for run in (bare, measured))
        assert ours == theirs
    total = len(SUBSETS) * QUESTIONS
    assert list(dict.fromkeys(stage for stage, _, _ in stages)) == ["base_mmlu", "fine_tuned_mmlu"]
    assert all(0 <= done <= total == of for _, done, of in stages)
    assert stages[0] == ("base_mmlu", 0, total)
    assert stages[-1] == ("fine_tuned_mmlu", total, total)


@pytest.mark.parametrize("torn", ["", '{"variant": "fine_tuned", "requ', '{"variant": "base", "request": 3}\n'])
def test_an_interrupted_call_is_gone_on_with(
    measured: Run, bare: Run, settings: Settings, rows_read: list[int], torn: str
) -> None:
    total = len(SUBSETS) * QUESTIONS
    with pytest.raises(KeyboardInterrupt):
        measure_mmlu(bare, settings, scoring="letter", progress=interrupting(9))
    partial = bare.folder / "mmlu_results" / PARTIAL
    kept = [json.loads(line) for line in partial.read_text("utf-8").splitlines()]
    assert {"base_sha256", "adapter_sha256", "shots", "data_sha256"} <= set(kept[0])
    before = sum(rows_read)
    assert total < before < 2 * total
    assert len(kept) - 1 == before * 4
    assert bare.mmlu() is None and bare.mmlu_answers() is None
    with open(partial, "a", encoding="utf-8") as file:
        file.write(torn)
    rows_read.clear()
    measure_mmlu(bare, settings, scoring="letter")
    assert sum(rows_read) == 2 * total - before
    assert not partial.exists()
    for name in ("results.json", "answers.parquet"):
        ours, theirs = ((run.folder / "mmlu_results" / name).read_bytes() for run in (bare, measured))
        assert ours == theirs


def test_another_scale_of_the_adapter_starts_anew(bare: Run, settings: Settings, rows_read: list[int]) -> None:
    """It stands in the adapter's configuration and not in its weights."""
    with pytest.raises(KeyboardInterrupt):
        measure_mmlu(bare, settings, scoring="letter", progress=interrupting(9), fresh=True)
    config = bare.folder / "adapter" / "adapter_config.json"
    said = read_json(config)
    write_json(config, {**said, "lora_alpha": 2 * said["lora_alpha"]})
    rows_read.clear()
    measure_mmlu(bare, settings, scoring="letter", fresh=True)
    assert sum(rows_read) == 2 * len(SUBSETS) * QUESTIONS


def test_another_protocol_starts_anew(bare: Run, settings: Settings, rows_read: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt):
        measure_mmlu(bare, settings, progress=interrupting(9))
    rows_read.clear()
    measure_mmlu(bare, settings, scoring="letter", shots=5)
    assert sum(rows_read) == 2 * len(SUBSETS) * QUESTIONS
    raw = read_json(bare.folder / "mmlu_results" / "results.json")
    assert set(raw["base"]["n-shot"].values()) == {5}


def test_cloze(bare: Run, settings: Settings) -> None:
    answers = measure_mmlu(bare, settings, scoring="cloze")
    results = bare.mmlu()
    assert results is not None
    assert [score.subset for score in results.fine_tuned] == sorted(SUBSETS)
    assert results.pooled(results.fine_tuned) == pytest.approx(accuracy(answers, "fine_tuned"))
    assert read_answers(bare.folder).equals(answers)
    raw = read_json(bare.folder / "mmlu_results" / "results.json")
    assert "mmlu_anatomy_continuation" in raw["base"]["results"]
    evaluation = bare.evaluation()
    assert evaluation is not None
    assert evaluation.protocol.mmlu == results.protocol == MMLUProtocol(scoring="cloze", per_byte=True, shots=0)
    assert Facts.of(bare).mmlu_answers is None  # it saw no letters: nothing is said of them
    for variant in ("base", "fine_tuned"):
        nats = answers[[f"{variant}_cloze_{letter}" for letter in "abcd"]].to_numpy()
        sizes = answers[[f"bytes_{letter}" for letter in "abcd"]].to_numpy()
        assert (sizes == np.array([len(text) for text in choices_of(settings)]).reshape(sizes.shape)).all()
        assert answers[f"{variant}_choice"].tolist() == (nats / sizes).argmax(axis=1).tolist()
        accuracies = raw[variant]["results"]["mmlu_anatomy_continuation"]
        assert {"acc,none", "acc_bytes,none"} <= set(accuracies)


def choices_of(settings: Settings) -> list[str]:
    found = mmlu_data.load(settings)
    return [text for subset in SUBSETS for question in found.test[subset] for text in question.choices]


def test_letters_at_chance_are_followed_by_the_texts(bare: Run, settings: Settings, rows_read: list[int]) -> None:
    stages: list[str] = []
    answers = measure_mmlu(bare, settings, progress=lambda stage, *_: stages.append(stage))
    names = ["base_mmlu", "fine_tuned_mmlu", "base_mmlu_cloze", "fine_tuned_mmlu_cloze"]
    assert list(dict.fromkeys(stages)) == names
    assert {stage_text(name) for name in names} == {
        "base: MMLU", "fine-tuned: MMLU", "base: MMLU, answer texts", "fine-tuned: MMLU, answer texts",
    }  # fmt: skip
    results = bare.mmlu()
    assert results is not None and results.letters and results.metric == "acc_bytes"
    assert at_chance(scored(answers, "letter"))
    facts = Facts.of(bare)
    assert facts.mmlu_answers is not None
    assert facts.mmlu_answers["base_choice"].tolist() == choices_by(answers, "base", "acc").tolist()
    asked = [one.scoring for one in scorings(answers, results)]
    assert asked == ["letter", "calibrated", "cloze"]
    assert [one.judged for one in scorings(answers, results)] == [False, False, True]
    assert mmlu_problem(results, answers) == (12, None)
    rows_read.clear()
    for scoring in ("letter", "calibrated", "cloze", "auto"):
        again = measure_mmlu(bare, settings, scoring=scoring)
        wanted: Scoring = "cloze" if scoring == "auto" else scoring  # type: ignore[assignment]
        found = bare.mmlu()
        assert found is not None and found.scoring == wanted
        assert again["base_choice"].tolist() == scored(answers, wanted)["base_choice"].tolist()
        assert found.pooled(found.fine_tuned) == pytest.approx(accuracy(again, "fine_tuned"))
        assert mmlu_problem(found, again) == (12, None)
    assert sum(rows_read) == 0  # nothing is asked a second time


def test_letters_above_chance_are_judged(bare: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medqa_core.evaluation.mmlu.at_chance", lambda _: False)
    measure_mmlu(bare, settings)
    results = bare.mmlu()
    assert results is not None
    assert results.protocol == MMLUProtocol(scoring="letter", shots=0)
    assert (
        "mmlu_anatomy_continuation" not in read_json(bare.folder / "mmlu_results" / "results.json")["base"]["results"]
    )


def test_another_scale_of_the_adapter_is_another_model(bare: Run, settings: Settings, rows_read: list[int]) -> None:
    measure_mmlu(bare, settings, scoring="letter")
    path = bare.folder / "adapter" / "adapter_config.json"
    write_json(path, read_json(path) | {"lora_alpha": 800})
    rows_read.clear()
    measure_mmlu(bare, settings, scoring="calibrated")
    assert sum(rows_read) == len(SUBSETS) * QUESTIONS, "of the fine-tuned model: the base is the same one"
    write_json(path, read_json(path) | {"lora_alpha": 400})
    rows_read.clear()
    measure_mmlu(bare, settings, scoring="letter", fresh=True)
    assert sum(rows_read) == 2 * len(SUBSETS) * QUESTIONS


def test_a_model_that_fell_apart_is_measured(bare: Run, settings: Settings) -> None:
    from safetensors.torch import load_file, save_file

    path = bare.folder / "adapter" / "adapter_model.safetensors"
    broken = {name: tensor * float("nan") for name, tensor in load_file(path).items()}
    save_file(broken, path, metadata={"format": "pt"})
    (bare.folder / "evaluation.json").unlink()  # it is of other weights
    measure_mmlu(bare, settings, scoring="letter")
    answers = bare.mmlu_answers()
    assert answers is not None
    assert answers["fine_tuned_logprob_a"].isna().all()
    assert answers["fine_tuned_choice"].isna().all()  # it did not choose A
    assert answers["base_choice"].notna().all()
    evaluation = bare.evaluation()
    assert evaluation is not None
    assert evaluation.metrics["mmlu"].verdict == "cannot tell"
    assert evaluation.metrics["mmlu"].reason == "No question has an answer of both models."
    assert answers["base_logprob_a"].notna().all()
    loads((bare.folder / "mmlu_results" / "results.json").read_text("utf-8"))


def test_bad_input_writes_nothing(bare: Run, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"shots: 3 is not allowed; allowed: 0, 5\."):
        measure_mmlu(bare, settings, shots=3)
    with pytest.raises(
        UnknownName, match=r"scoring: 'leter' is not known; allowed: auto, calibrated, cloze, letter\. Did you"
    ):
        measure_mmlu(bare, settings, scoring="leter")
    with pytest.raises(DataUnavailable, match="MEDQA_MMLU names"):
        measure_mmlu(bare, replace(settings, mmlu=tmp_path / "gone"))
    status = Status(state="running", process=ProcessIdentity.current())
    write_json(bare.folder / "status.json", json.loads(status.model_dump_json()))
    with pytest.raises(InputError, match="smoke is still running"):
        measure_mmlu(bare, settings)
    assert not (bare.folder / "mmlu_results").exists()


def test_an_imported_adapter_is_measured(settings: Settings, tmp_path: Path) -> None:
    config = EvaluationConfig(dataset=str(rows(ASKED, tmp_path / "test.csv")))
    here = replace(settings, reports=tmp_path / "reports")
    run = import_model(lora(toy_folder(settings), tmp_path / "my-lora"), config, here, base="toy")
    answers = measure_mmlu(run, here, scoring="letter")
    results = run.mmlu()
    assert results is not None and results.base is not None
    assert results.pooled(results.fine_tuned) == pytest.approx(accuracy(answers, "fine_tuned"))
    assert not answers["base_logprob_a"].equals(answers["fine_tuned_logprob_a"])
    assert mmlu_problem(results, answers) == (12, None)


def test_a_run_without_a_model(bare: Run, settings: Settings, tmp_path: Path) -> None:
    shutil.rmtree(bare.folder / "adapter")
    with pytest.raises(InputError, match="smoke holds no model"):
        measure_mmlu(bare, settings)
    record = RunRecord(
        id="theirs", title="Theirs", kind="imported", created_at=now(),
        imported=ImportRecord(format="summary", source="summary.txt"),
    )  # fmt: skip
    with pytest.raises(InputError, match="theirs is an imported run"):
        measure_mmlu(RunStore(tmp_path / "store").create(record), settings)
