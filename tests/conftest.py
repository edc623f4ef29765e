"""Shared by tests of several floors: a cache and run store of the session's own, and one small run in it."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from medqa_core.foundation import settings
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset

# Before torch is imported: several workers, each with a thread a core, would spin in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")


SECONDS = {"e2e": 600, "real": 1800, "reliability": 7200}
"""That a test of these kinds may take; any other has `timeout` of pyproject.toml."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A longer timeout for the slower kinds."""
    for item in items:
        for kind, seconds in SECONDS.items():
            if item.get_closest_marker(kind):
                item.add_marker(pytest.mark.timeout(seconds))


@pytest.fixture(autouse=True)
def data_at_hand(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """MedQuAD and MMLU are at hand for tests marked `real` alone: the others find the same data everywhere."""
    if request.node.get_closest_marker("real"):
        return
    for name in ("MEDQA_MEDQUAD", "MEDQA_MMLU"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(settings, "_beside_checkout", lambda name: None)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings whose cache and run store belong to this session (to this worker, where there are several)."""
    root = tmp_path_factory.mktemp("lab")
    return Settings(reports=root / "reports", cache=root / "cache", medquad=None, mmlu=None, public=False)


@pytest.fixture(scope="session")
def smoke(lab: Settings) -> Run:
    """The `smoke` preset, trained and evaluated once. To be read only: copy the folder to change it."""
    from medqa_core.evaluation.evaluate import evaluate
    from medqa_core.training.train import train

    with offline():
        run = train(from_preset("smoke"), lab, run_id="smoke")
        evaluate(run, lab)
    return run


@pytest.fixture
def in_lab(lab: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The lab's folders as the environment has them, for what reads the environment."""
    monkeypatch.setenv("MEDQA_CACHE", str(lab.cache))
    monkeypatch.setenv("MEDQA_REPORTS", str(lab.reports))
    return lab


@pytest.fixture
def own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory of bases that begins empty, outside of the cache that tests share."""
    monkeypatch.setattr("medqa_core.evaluation.base_memory.FOLDER", str(tmp_path / "base-answers"))


@pytest.fixture
def no_network() -> Iterator[None]:
    """No connection to anywhere."""
    with offline():
        yield


@contextmanager
def offline() -> Iterator[None]:
    """Any attempt to connect fails the test."""

    def refuse(*arguments: Any) -> None:
        raise AssertionError(f"a test tried to connect to {arguments[1:]}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket.socket, "connect_ex", refuse)
        yield
