"""A pickle can run code when it is opened. Under whatever name one lies in a folder, nothing here opens it."""

import io
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from medqa_core.data import sources
from medqa_core.evaluation.verify import verify
from medqa_core.foundation.errors import InputError, MedQAError, ModelError
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.openvino_ir import ensure as converted
from medqa_core.models.variants import load_variants
from medqa_core.report.archive import archive
from medqa_core.report.writer import write
from medqa_core.runs.importers.importer import import_path
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training import checkpoint

pytestmark = pytest.mark.usefixtures("no_network", "never_unpickled")
Plant = Callable[[Path], None]
NAMES = (
    *("pytorch_model.bin", "pytorch_model-00001-of-00001.bin", "adapter_model.bin", "model.pt", "model.pth"),
    *("model.ckpt", "consolidated.00.pth", "optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state.pth"),
    *("rng_state_0.pth", "training_args.bin", "tokenizer.pkl", "vocab.pkl", "data.pickle", "model.joblib", "data.npy"),
    *(
        "dataset.npz",
        "state.json.pkl",
        "tf_model.h5",
        "flax_model.msgpack",
        "spiece.model.pkl",
        "sentencepiece.bpe.pkl",
    ),
)


@pytest.fixture
def never_unpickled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt fails the test, also one that would be harmless."""
    import torch

    def refuse(*arguments: Any, **more: Any) -> NoReturn:
        raise AssertionError("a pickle was opened")

    for owner, name in ((pickle, "load"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(owner, name, refuse)


@pytest.fixture(autouse=True)
def no_mark(mark: Path) -> Iterator[None]:
    yield
    assert not mark.exists(), "a pickle was opened"


def test_the_planted_pickle_would_leave_its_mark(plant: Plant, tmp_path: Path, mark: Path) -> None:
    plant(tmp_path / "x.pkl")
    pickle.loads((tmp_path / "x.pkl").read_bytes())
    assert mark.exists()
    mark.rmdir()


def everywhere(folder: Path, plant: Plant) -> None:
    inside = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for place in inside:
        for name in NAMES:
            plant(place / name)


def test_beside_a_models_files(toy_copy: Path, lab: Settings, plant: Callable[[Path], None]) -> None:
    everywhere(toy_copy, plant)
    assert load(str(toy_copy), settings=lab, device="cpu").parameters > 0


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt", "model.pkl"])
def test_in_place_of_a_models_weights(toy_copy: Path, lab: Settings, plant: Callable[[Path], None], name: str) -> None:
    (toy_copy / "model.safetensors").unlink()
    plant(toy_copy / name)
    with pytest.raises(ModelError, match="pickles only"):
        load(str(toy_copy), settings=lab, device="cpu")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "tokenizer_config.json"])
def test_under_the_name_of_a_models_own_file(
    toy_copy: Path, lab: Settings, plant: Callable[[Path], None], name: str
) -> None:
    plant(toy_copy / name)
    with pytest.raises(ModelError):
        load(str(toy_copy), settings=lab, device="cpu")


def test_everywhere_in_a_run_folder(run_copy: Run, lab: Settings, plant: Plant) -> None:
    everywhere(run_copy.folder, plant)
    plant(run_copy.folder / "checkpoints" / "step-00000099" / "optimizer.pt")
    variants = load_variants(run_copy, lab)
    converted(variants, "fine_tuned", lab.cache)
    run = RunStore(run_copy.folder.parent).open("smoke")
    for reader in (
        run.status,
        run.evaluation,
        run.predictions,
        run.with_sources,
        run.mmlu,
        run.mmlu_answers,
        run.trials,
    ):
        reader()
    assert len(run.metrics_log().train)
    write(run)
    archive(run)
    verify(run, lab)
    assert checkpoint.newest(run.folder) is None


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_in_place_of_an_adapter(run_copy: Run, lab: Settings, plant: Plant, name: str) -> None:
    everywhere(run_copy.folder / "adapter", plant)
    plant(run_copy.folder / "adapter" / name)
    with pytest.raises(MedQAError):
        load_variants(run_copy, lab)
    (run_copy.folder / "adapter" / name).unlink()  # peft takes adapter_model.bin then, if it is let
    with pytest.raises(MedQAError):
        load_variants(run_copy, lab)


@pytest.mark.parametrize("name", checkpoint.TENSORS)
def test_in_place_of_a_checkpoints_tensors(tmp_path: Path, plant: Plant, name: str) -> None:
    import torch

    tensors = {"a": torch.zeros(2)}
    folder = checkpoint.write(tmp_path, checkpoint.Counters(step=3), tensors, tensors, tensors)
    assert checkpoint.newest(tmp_path) is not None
    plant(folder / name)
    assert checkpoint.newest(tmp_path) is None, "its checksum is another one"
    from medqa_core.foundation.files import read_json, sha256, write_json

    sums = read_json(folder / "manifest.json") | {name: sha256(folder / name)}
    write_json(folder / "manifest.json", sums)
    assert checkpoint.newest(tmp_path) is None, "it is no safetensors file"


@pytest.mark.parametrize(
    "name", ["predictions.parquet", "evaluation.json", "metrics.jsonl", "status.json", "trials.csv"]
)
def test_under_the_name_of_a_runs_own_file(run_copy: Run, plant: Plant, name: str) -> None:
    plant(run_copy.folder / name)
    run = RunStore(run_copy.folder.parent).open("smoke")
    run.status(), run.evaluation(), run.predictions(), run.trials(), run.metrics_log(), write(run)


def test_in_a_trainer_folder_that_is_imported(tmp_path: Path, plant: Plant) -> None:
    folder = tmp_path / "output"
    (folder / "checkpoint-2").mkdir(parents=True)
    state = '{"global_step": 2, "log_history": [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.5}]}'
    (folder / "trainer_state.json").write_text(state)
    (folder / "checkpoint-2" / "trainer_state.json").write_text(state)
    everywhere(folder, plant)
    run = import_path(folder, RunStore(tmp_path / "reports"), run_id="foreign")
    assert len(run.metrics_log().train) == 2


@pytest.mark.parametrize("name", ["trainer_state.json", "results.json", "summary.txt", "x.bin", "x.pkl"])
def test_as_what_is_imported(tmp_path: Path, plant: Plant, name: str) -> None:
    plant(tmp_path / "in" / name)
    for path in (tmp_path / "in" / name, tmp_path / "in"):
        with pytest.raises(InputError):
            import_path(path, RunStore(tmp_path / "reports"))


@pytest.mark.parametrize(
    "suffix", [".csv", ".tsv", ".jsonl", ".json", ".parquet", ".zip", ".arrow", ".npy", ".pkl", ""]
)
def test_as_data(tmp_path: Path, lab: Settings, plant: Plant, suffix: str) -> None:
    plant(tmp_path / f"data{suffix}")
    with pytest.raises(MedQAError):
        sources.load(str(tmp_path / f"data{suffix}"), lab, {}, fetch=False)


def test_object_arrays_in_an_index_of_embeddings_are_not_read(tmp_path: Path, mark: Path) -> None:
    """numpy keeps objects as a pickle inside .npy; every reader here says that it takes none."""
    from tests.support.pickles import Mark

    np.save(tmp_path / "a.npy", np.array([Mark(mark)], dtype=object), allow_pickle=True)
    assert b"mkdir" in (tmp_path / "a.npy").read_bytes()
    with pytest.raises(ValueError, match="allow_pickle"):
        np.load(tmp_path / "a.npy", allow_pickle=False)


def test_a_zip_of_pickles_is_no_data_set(tmp_path: Path, lab: Settings, plant: Plant, mark: Path) -> None:
    plant(tmp_path / "x")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        for name in NAMES:
            out.writestr(f"archive/{name}", (tmp_path / "x").read_bytes())
    (tmp_path / "data.zip").write_bytes(packed.getvalue())
    with pytest.raises(MedQAError):
        sources.load(str(tmp_path / "data.zip"), lab, {}, fetch=False)


def test_no_module_calls_what_unpickles() -> None:
    """Where numpy reads arrays, it is told to take no objects; nothing else here knows pickles."""
    from tests.support.source import calls

    for place, call, keywords in calls("medqa_core", "pages"):
        assert not call.startswith(
            ("pickle.", "joblib.", "dill.", "shelve.", "marshal.", "torch.load", "cloudpickle.")
        ), place
        assert call not in ("eval", "exec", "yaml.load", "yaml.unsafe_load", "pd.read_pickle", "pandas.read_pickle"), (
            place
        )
        if call in ("np.load", "numpy.load"):
            assert keywords.get("allow_pickle") is False, place
