"""Shared by the tests of boundaries: a model and a run to spoil, and pickles that leave a mark when opened."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.pickles import Mark


@pytest.fixture
def toy_copy(lab: Settings, tmp_path: Path) -> Path:
    """A small model folder, to be changed."""
    from medqa_core.models import toy

    return Path(shutil.copytree(toy.ensure(lab.cache), tmp_path / "model"))


@pytest.fixture
def run_copy(smoke: Run, tmp_path: Path) -> Run:
    """The smoke run in a store of its own, to be changed."""
    shutil.copytree(smoke.folder, tmp_path / "reports" / "smoke")
    return RunStore(tmp_path / "reports").open("smoke")


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The folder that an opened pickle leaves."""
    return tmp_path / "opened"


@pytest.fixture
def plant(mark: Path) -> Callable[[Path], None]:
    """Write a pickle that leaves the mark."""

    def go(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(Mark(mark)))

    return go
