"""An empty store, and a run that has everything."""

from pathlib import Path

import pytest

from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.runs import good_run


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """An empty run store."""
    folder = tmp_path / "reports"
    folder.mkdir()
    return RunStore(folder)


@pytest.fixture
def run(store: RunStore) -> Run:
    """A complete run in the store."""
    return good_run(store)
