"""A run of task `open_book`, from its preset to its evaluation: both models read the same passages."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from medqa_core.evaluation.evaluate import evaluate
from medqa_core.evaluation.int8 import measure_int8
from medqa_core.evaluation.passages import shelf_of
from medqa_core.evaluation.verify import verify
from medqa_core.evaluation.with_sources import evaluate_with_sources
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.report.wording import protocol as wording
from medqa_core.report.wording.int8 import sentence
from medqa_core.runs.artifacts.predictions import write_predictions
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Library
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training.train import train

SMALL = {"base_model": "toy", "dataset": "starter", "train_size": 32, "validation_size": 6, "test_size": 6,
         "max_tokens": 1024, "max_new_tokens": 200, "batch_size": 8, "epochs": 1.0, "eval_steps": 4,
         "lora_layers": None}  # fmt: skip


@pytest.fixture(scope="module")
def run(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Settings]:
    settings = replace(lab, reports=tmp_path_factory.mktemp("open"))
    config = from_preset("medquad-open-book", {**SMALL, "max_new_tokens": 160, "max_template_share": 0.9})
    return train(config, settings, run_id="open"), settings


def test_both_models_read_the_whole_data_set(run: tuple[Run, Settings]) -> None:
    opened, settings = run
    data = opened.record.data
    assert data is not None and data.preparation is not None and data.preparation.right_passage
    evaluation = evaluate(opened, settings)
    read = evaluation.protocol.retrieval
    assert read is not None and read.library == "data set" and not read.test_documents_held_out
    assert "all answers of the data set" in str(wording.protocol_lines(evaluation.protocol))

    top = evaluation.controls["top_passage"]
    assert top.answered == 6 and set(top.fine_tuned) >= {"rougeL", "content_f1"} and not top.with_sources
    made = evaluation.fine_tuned_generation
    assert made is not None and made.specifics is not None and made.specifics["name"].in_passages is not None
    assert made.cited_share is not None and made.supported_share is None, "the toy says nothing"
    rows = opened.predictions()
    assert rows is not None and all(len(few) for few in rows["passages"])
    checks = {check.name: check for check in verify(opened, settings)}
    assert checks["content and controls"].passed, checks["content and controls"].detail

    cost = measure_int8(opened, settings)
    assert cost.passages == 3 and "6 test questions, answered from passages." in sentence(cost)
    assert cost.base.loss is not None
    assert cost.base.loss.float32 == pytest.approx(evaluation.metrics["loss"].base, abs=1e-4)

    beside = evaluate_with_sources(opened, settings, questions=3)
    assert beside.with_sources is not None
    other = beside.with_sources.protocol.retrieval
    assert other is not None and other.library == "other documents" and other.asked == 3
    rows = opened.with_sources()
    assert rows is not None and len(rows) == 3


def test_some_of_the_test_questions(run: tuple[Run, Settings]) -> None:
    opened, settings = run
    evaluation = evaluate(opened, settings, questions=4)
    rows = opened.predictions()
    assert rows is not None and len(rows) == 4
    assert evaluation.protocol.test_questions == 4
    assert "4 of the split's, chosen at random" in str(wording.protocol_lines(evaluation.protocol))
    beside = evaluate_with_sources(opened, settings)
    asked, of = opened.with_sources(), beside.with_sources
    assert asked is not None and list(asked["question_id"]) == list(rows["question_id"])
    assert of is not None and of.protocol.retrieval is not None and of.protocol.retrieval.of == 6
    again = evaluate(opened, settings, keep_answers=True)
    assert again.protocol.test_questions == 4
    checks = {check.name: check for check in verify(opened, settings)}
    assert checks["content and controls"].passed and checks["split"].passed and checks["test losses"].passed


def evaluated_copy(run: tuple[Run, Settings], folder: Path) -> tuple[Run, Settings, pd.DataFrame]:
    """A copy of the run with the answers to four of its questions."""
    opened, settings = run
    shutil.copytree(opened.folder, folder / "reports" / "open")
    copy = RunStore(folder / "reports").open("open")
    evaluate(copy, settings, questions=4)
    rows = copy.predictions()
    assert rows is not None
    return copy, settings, rows


def test_answers_after_other_passages_are_not_kept(run: tuple[Run, Settings], tmp_path: Path) -> None:
    copy, settings, rows = evaluated_copy(run, tmp_path)
    write_predictions(copy.folder, rows.assign(passages=pd.Series([["elsewhere"]] * len(rows), index=rows.index)))
    with pytest.raises(InputError, match="would now read other passages"):
        evaluate(copy, settings, keep_answers=True)


def test_answers_of_which_it_is_not_known_what_they_cited_are_kept(run: tuple[Run, Settings], tmp_path: Path) -> None:
    copy, settings, rows = evaluated_copy(run, tmp_path)
    write_predictions(copy.folder, rows.assign(base_cited=None, fine_tuned_cited=None))
    again, kept = evaluate(copy, settings, keep_answers=True), copy.predictions()
    assert again.fine_tuned_generation is not None and again.fine_tuned_generation.cited_share is None
    assert kept is not None and kept["fine_tuned_cited"].isna().all()
    assert kept["fine_tuned_answer"].tolist() == rows["fine_tuned_answer"].tolist()


@pytest.mark.parametrize("library", get_args(Library))
def test_each_library_keeps_to_its_name(run: tuple[Run, Settings], library: Library) -> None:
    opened, settings = run
    config = opened.record.config
    assert config is not None
    from medqa_core.evaluation.evaluate import same_split

    _, parts = same_split(opened, settings)
    shelf = shelf_of(opened, config, settings, library)
    trained = {pair.id for pair in parts.train}
    for question in parts.test:
        found = shelf.search(question)
        assert len(found) <= config.passages and (found or library == "training answers")
        if library == "training answers":
            assert {passage.question_id for passage in found} <= trained
        if library == "other documents":
            assert question.document not in {passage.document for passage in found}


def test_the_closed_preset_trains_too(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = replace(lab, reports=tmp_path_factory.mktemp("closed"))
    run = train(from_preset("medquad-closed", SMALL), settings, run_id="closed")
    assert run.state() == "completed"
    assert run.record.data is not None and run.record.data.preparation is not None
