"""A disk that fills up while weights are copied into the store: nothing half-made stays, and one sentence says so."""

import errno
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError
from transformers import modeling_utils

from medqa_core.foundation.errors import RunError
from medqa_core.foundation.settings import Settings
from medqa_core.models.incoming import copying
from medqa_core.models.incoming import import_model as module
from medqa_core.models.incoming.import_model import import_model
from medqa_core.runs.schema.config import EvaluationConfig
from tests.support.failing_disk import FailingDisk
from tests.support.foreign_models import full_model, lora, toy_folder

FULL = "The run store reports cannot be written: No space left on device."
SOURCES: dict[str, Callable[[Path, Path], Path]] = {
    "one file": full_model,
    "shards": lambda base, folder: full_model(base, folder, shards=True),
    "adapter": lora,
}


@pytest.fixture
def store(here: Settings, tmp_path: Path) -> Settings:
    """Settings with an empty store of the test's own."""
    (tmp_path / "reports").mkdir()
    return replace(here, reports=tmp_path / "reports")


def bring(source: Path, asked: EvaluationConfig, settings: Settings, disk: FailingDisk) -> str | None:
    """Import onto `disk`; what it was refused with, or None."""
    with pytest.MonkeyPatch.context() as patch:
        disk.install(patch)
        try:
            import_model(source, asked, settings, base="toy", run_id="new")
        except RunError as error:
            return str(error)
    return None


@pytest.mark.parametrize("kind", SOURCES)
def test_the_disk_is_full_at_any_write_of_the_copy(
    kind: str, store: Settings, asked: EvaluationConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SOURCES[kind](toy_folder(store), tmp_path / "source")
    size = max(path.stat().st_size for path in source.glob("*.safetensors"))
    monkeypatch.setattr(copying, "PIECE", size // 3 + 1)
    monkeypatch.setattr(shutil, "_USE_CP_SENDFILE", False)  # so that small files are written by calls too
    monkeypatch.setattr(module, "_examine", once(module._examine))
    whole = FailingDisk(store.reports)
    assert bring(source, asked, store, whole) is None
    shutil.rmtree(store.reports / "new")
    folder = "adapter" if kind == "adapter" else "model"
    of_weights = [at for at, call in enumerate(whole.calls, 1) if f".tmp/{folder}" in call]
    weights = [call.split("/")[-1] for call in whole.calls if call.startswith("write ") and "model.safetensors" in call]
    assert len(weights) >= 3 and len(of_weights) > len(weights) + 3, whole.calls
    for at in of_weights:
        disk = FailingDisk(store.reports)
        disk.fail(at, forever=True)
        assert bring(source, asked, store, disk) == FULL, whole.calls[at - 1]
        assert list(store.reports.iterdir()) == [], whole.calls[at - 1]


def once(examine: Callable[..., Any]) -> Callable[..., Any]:
    """What is known of the source is found out once; each import then copies it."""
    known: list[Any] = []

    def examined(*arguments: Any) -> Any:
        if not known:
            known.append(examine(*arguments))
        return known[0]

    return examined


def test_the_disk_is_full_while_merged_weights_are_written(
    store: Settings, asked: EvaluationConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = lora(toy_folder(store), tmp_path / "source", bias="all")
    saved = modeling_utils.safe_save_file
    halves: list[Path] = []

    def half(tensors: Any, path: Any, **more: Any) -> None:
        saved(tensors, path, **more)
        halves.append(Path(path))
        halves[0].write_bytes(halves[0].read_bytes()[:1000])
        raise SafetensorError(f"Error while serializing: I/O error: No space left on device (os error {errno.ENOSPC})")

    monkeypatch.setattr(modeling_utils, "safe_save_file", half)
    assert bring(source, asked, store, FailingDisk(store.reports)) == FULL
    assert [path.name for path in halves] == ["model.safetensors"] and list(store.reports.iterdir()) == []
