"""A store of each test's own, and workers that are real processes but do next to nothing."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from medqa_core.foundation.settings import Settings
from medqa_core.jobs import launch
from medqa_core.jobs.queue import live, store_of, write_status
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.status import ProcessIdentity, Status
from tests.support.jobs import SLEEP


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    found = Settings(tmp_path / "reports", tmp_path / "cache", None, None, False)
    yield found
    for run in live(found):  # the fakes that a test left behind
        status = run.status()
        if status and status.process and status.process.is_alive() and status.process.pid != os.getpid():
            with suppress(OSError):
                os.kill(status.process.pid, signal.SIGKILL)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], list[int]]]:
    """`worker(CODE)`: from now on workers run this code. Returns the list of the processes that were started."""
    started: list[int] = []
    spawn_identity = launch.spawn_identity

    def remembered(pid: int) -> ProcessIdentity | None:
        started.append(pid)
        return spawn_identity(pid)

    def use(code: str) -> list[int]:
        monkeypatch.setattr(launch, "command", lambda run_id: [sys.executable, "-c", code, run_id])
        return started

    monkeypatch.setattr(launch, "spawn_identity", remembered)
    use(SLEEP)
    yield use
    monkeypatch.setattr(launch, "advance", lambda settings: [])  # what a reaper would start is no longer ours
    for pid in started:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    for thread in threading.enumerate():
        if thread.name == "reaper":
            thread.join(10)


@pytest.fixture
def make(settings: Settings) -> Callable[..., Run]:
    """A run of the `smoke` preset in a state of choice."""

    def run(run_id: str = "a", state: str = "stopped", **status: object) -> Run:
        from medqa_core.runs.schema.record import RunRecord
        from medqa_core.runs.schema.status import now

        record = RunRecord(
            id=run_id, number=1, title=run_id, kind="finetune", created_at=now(), config=from_preset("smoke")
        )
        made = store_of(settings).create(record)
        write_status(made.folder, Status.model_validate({"state": state, **status}))
        return made

    return run
