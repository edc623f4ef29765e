"""A model trained elsewhere becomes a run with weights, and is measured like one made here."""

from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.answering.training_set import training_set
from medqa_core.data.lookup import data_of
from medqa_core.evaluation.evaluate import evaluate
from medqa_core.evaluation.verify import verify
from medqa_core.foundation.errors import DataUnavailable, InputError
from medqa_core.foundation.files import read_json, sha256
from medqa_core.foundation.settings import Settings
from medqa_core.models.incoming.import_model import import_model
from medqa_core.report.wording.verdict import sentence
from medqa_core.runs.artifacts.training_record import read_training_record
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import EvaluationConfig
from tests.support.foreign_models import ASKED, full_model, lora, rows, tiny_model, toy_folder


@pytest.fixture(scope="module")
def adapter(here: Settings, asked: EvaluationConfig, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An adapter that names no base, imported and evaluated."""
    folder = lora(toy_folder(here), tmp_path_factory.mktemp("lora") / "my-lora")
    run = import_model(folder, asked, here, base="toy")
    evaluate(run, here)
    return run


def test_an_adapter_becomes_a_run_that_is_measured(adapter: Run, here: Settings) -> None:
    record = adapter.record
    assert (record.kind, record.id, record.prompt) == ("imported", "my-lora", "chat")
    assert record.base_model is not None and record.base_model.id == "toy"
    assert record.imported is not None and record.imported.model is not None
    assert record.imported.model.kind == "adapter"
    assert record.data is not None and record.data.split is not None
    assert (record.data.split.train, record.data.split.validation, record.data.split.test) == (6, 0, 12)
    found = adapter.evaluation()
    assert found is not None and found.metrics["loss"].n == 12
    assert found.overlap is not None and found.overlap.question == 1  # the leak that was put there
    made = read_training_record(adapter.folder).value
    assert made is not None and (made.written_by, made.changed) == ("import", True)
    failed = [check for check in verify(adapter, here) if check.passed is False]
    assert failed == []


def test_whole_weights_keep_their_checksum_and_shards_become_one_file(
    here: Settings, asked: EvaluationConfig, tmp_path: Path
) -> None:
    one = full_model(toy_folder(here), tmp_path / "one")
    run = import_model(one, asked, here, base="toy")
    stored = run.weights_file()
    assert stored is not None and sha256(stored) == sha256(one / "model.safetensors")
    assert run.record.imported is not None and run.record.imported.model is not None
    assert run.record.imported.model.kind == "fine_tune"
    many = full_model(toy_folder(here), tmp_path / "many", shards=True)
    assert len(list(many.glob("*.safetensors"))) > 1
    again = import_model(many, asked, here, base="toy")
    assert again.folder.name == "many" and sorted(p.name for p in (again.folder / "model").glob("*.safetensors")) == [
        "model.safetensors"
    ]
    record = read_training_record(again.folder).value
    assert record is not None and record.changed is True
    assert "_name_or_path" not in read_json(again.folder / "model" / "config.json")


def test_two_plain_models_are_compared_without_a_training(here: Settings, tmp_path: Path) -> None:
    other = tiny_model(toy_folder(here), tmp_path / "other")
    config = EvaluationConfig(dataset=str(rows(ASKED, tmp_path / "test.csv")), max_new_tokens=8)
    run = import_model(other, config, here, base="toy")
    assert run.record.imported is not None and run.record.imported.model is not None
    assert run.record.imported.model.kind == "other_model"
    evaluate(run, here)
    found = run.evaluation()
    assert found is not None and (found.overlap, found.controls, found.clean["loss"].n) == (None, {}, 0)
    said = sentence(run)
    assert "what it was trained on is not known here, so leaks cannot be excluded" in said
    assert "it is another model than the base and no fine-tune of it" in said
    assert not said.startswith("Yes")
    rows_of_it = run.predictions()
    assert rows_of_it is not None and rows_of_it["train_overlap"].isna().all()
    assert rows_of_it["fine_tuned_copied_share"].isna().all()
    assert [check for check in verify(run, here) if check.passed is False] == []
    with pytest.raises(DataUnavailable, match="not known what other was trained on"):
        training_set(run, here)


def test_a_model_is_taken_by_its_name_too(here: Settings, asked: EvaluationConfig) -> None:
    run = import_model("toy", asked, here, base="toy")
    record = read_training_record(run.folder).value
    assert (run.id, record is not None and record.changed) == ("toy", False)
    with pytest.raises(InputError, match="neither a folder that exists nor a model on the hub"):
        import_model("no-such-folder", asked, here, base="toy")


def test_a_public_demo_opens_no_file_that_an_imported_run_names(here: Settings, asked: EvaluationConfig) -> None:
    public = replace(here, public=True)
    for config in (asked, asked.model_copy(update={"dataset": "starter"})):
        with pytest.raises(DataUnavailable, match="public demo"):
            data_of(config, public)
