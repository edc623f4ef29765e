"""A model trained elsewhere becomes a run with weights, and is measured like one made here."""

import itertools
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.answering.training_set import training_set
from medqa_core.data.lookup import data_of
from medqa_core.evaluation.evaluate import evaluate
from medqa_core.evaluation.verify import verify
from medqa_core.foundation.errors import DataUnavailable, InputError, RunNotFound
from medqa_core.foundation.files import read_json, sha256, write_json
from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.models.incoming import copying
from medqa_core.models.incoming.import_model import import_model
from medqa_core.report.wording.verdict import sentence
from medqa_core.runs.artifacts.training_record import read_training_record
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import EvaluationConfig
from medqa_core.runs.store.making import sweep
from medqa_core.runs.store.run_store import RunStore
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


@pytest.mark.parametrize("kind", ["", "llama"])
def test_of_its_training_is_missing_what_the_model_here_does_not_tell(
    here: Settings, asked: EvaluationConfig, tmp_path: Path, kind: str
) -> None:
    folder = lora(toy_folder(here), tmp_path / f"trained-{kind}")
    logged = [{"step": step, "loss": 2.0 - step / 10} for step in (1, 2, 3)]
    write_json(folder / "trainer_state.json", {"log_history": logged, "global_step": 3})
    if kind:
        write_json(folder / "config.json", {"model_type": kind})
    run = import_model(folder, asked, here, base="toy")
    assert run.record.imported is not None
    assert run.record.imported.missing == [
        "Learning rate, weight decay, warm-up and seed: they are in a pickle (training_args.bin), which is never "
        "opened.",
        "Device, and the versions of Python and PyTorch.",
        "Date: the output states none; the file's own date stands in.",
    ]


def test_whole_weights_keep_their_checksum_and_shards_become_one_file(
    here: Settings, asked: EvaluationConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = full_model(toy_folder(here), tmp_path / "one")
    run = import_model(one, asked, here, base="toy")
    stored = run.weights_file()
    assert stored is not None and sha256(stored) == sha256(one / "model.safetensors")
    assert run.record.imported is not None and run.record.imported.model is not None
    assert run.record.imported.model.kind == "fine_tune"
    many = full_model(toy_folder(here), tmp_path / "many", shards=True)
    assert len(list(many.glob("*.safetensors"))) > 1
    told: list[tuple[str, int, int]] = []
    monkeypatch.setattr(copying, "MEGABYTE", 1000)
    again = import_model(many, asked, here, base="toy", steps=lambda *step: told.append(step))
    assert [stage for stage, _ in itertools.groupby(told, lambda step: step[0])] == [
        *("looking for NaN in the weights, MB", "copying the weights, MB")
    ]
    assert told[-1][1] == told[-1][2] > 10
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


@pytest.mark.parametrize("shards", [False, True])
def test_a_snapshot_of_the_hub_s_cache_is_a_model(
    shards: bool, here: Settings, asked: EvaluationConfig, tmp_path: Path
) -> None:
    plain = full_model(toy_folder(here), tmp_path / "plain", shards=shards)
    snapshot, blobs = tmp_path / "models--o--n" / "snapshots" / ("a" * 40), tmp_path / "models--o--n" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for path in plain.iterdir():
        blob = blobs / sha256(path)
        shutil.move(path, blob)
        (snapshot / path.name).symlink_to(Path("../../blobs", blob.name))
    run = import_model(snapshot, asked, here, base="toy", run_id=f"snapshot-{shards}".lower())
    files = [path for path in run.folder.rglob("*") if path.is_symlink()]
    assert run.model_folder() is not None and files == [], "the run holds files of its own"
    if not shards:
        assert sha256(run.folder / "model" / "model.safetensors") == (snapshot / "model.safetensors").resolve().name
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(Path("../../../elsewhere.json"))
    (tmp_path / "elsewhere.json").write_text("{}")
    with pytest.raises(InputError, match=r"config\.json is a link out of the folder"):
        import_model(snapshot, asked, here, base="toy")


HANGS = """
import sys, time
from pathlib import Path
from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.models.incoming import import_model as module
from medqa_core.runs.schema.config import EvaluationConfig
from medqa_core.runs.store.making import sweep
from medqa_core.runs.store.run_store import RunStore
reports, cache, source, data = map(Path, sys.argv[1:])

def half(files, target, steps):
    target.write_bytes(files[0].read_bytes()[:1000])
    print("half", flush=True)
    time.sleep(600)

module.copy_weights = half
settings = Settings(reports, cache, None, None, False)
module.import_model(source, EvaluationConfig(dataset=str(data)), settings, base="toy", run_id="killed")
"""


def test_a_kill_amid_the_weights_leaves_nothing_that_stays(
    here: Settings, asked: EvaluationConfig, tmp_path: Path
) -> None:
    source = full_model(toy_folder(here), tmp_path / "source")
    store = RunStore(tmp_path / "reports")
    line = [sys.executable, "-c", HANGS, store.folder, here.cache, source, asked.dataset]
    with subprocess.Popen(list(map(str, line)), stdout=subprocess.PIPE, cwd=PACKAGE_ROOT) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == b"half\n"
            assert sweep(store.folder) == 0, "somebody is at work on it"
        finally:
            process.kill()
    [half] = store.folder.glob(".killed.*.tmp")
    assert (half / "model" / "model.safetensors").stat().st_size == 1000
    assert store.list() == [] and store.free_id("killed") == "killed"
    with pytest.raises(RunNotFound):
        store.open("killed")
    settings = replace(here, reports=store.folder)
    import_model(source, asked, settings, base="toy", run_id="killed")
    assert [path.name for path in store.folder.iterdir()] == ["killed"]
