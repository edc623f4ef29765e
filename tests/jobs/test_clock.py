"""The clock is set back by an hour while something waits or works: order and durations hold."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from medqa_core.foundation.settings import Settings
from medqa_core.jobs import queue
from medqa_core.jobs.launch import _next
from medqa_core.jobs.queue import Entry, enqueue, entries, submit
from medqa_core.jobs.stop import stop
from medqa_core.jobs.task import read_entry
from medqa_core.jobs.task_worker import working
from medqa_core.jobs.tasks import stop_task, submit_task
from medqa_core.runs import status_writer
from medqa_core.runs.run import Run
from medqa_core.runs.schema import status as status_module
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.status import Status
from medqa_core.runs.status_writer import StatusWriter

Make = Callable[..., Run]


@pytest.fixture
def set_back(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Called: from now on it is an hour earlier."""

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) - timedelta(hours=1)

    def go() -> None:
        for module in (queue, status_module):
            monkeypatch.setattr(module, "datetime", Earlier)
        monkeypatch.setattr(status_writer, "now", status_module.now)

    return go


def test_the_queue_keeps_its_order(settings: Settings, make: Make, set_back: Callable[[], None]) -> None:
    def wanted(seed: int, run_id: str) -> None:
        submit(from_preset("smoke", {"seed": seed}), settings, run_id=run_id)

    done = make("done", state="completed")
    wanted(1, "z-first")
    set_back()
    wanted(2, "a-second")
    task = submit_task("retrieval", done.id, settings).entry
    wanted(3, "b-third")
    enqueue(make("fourth", state="stopped"), settings)
    assert [entry.run.id for entry in entries(settings)] == ["z-first", "a-second", "b-third", "fourth"]
    assert entries(settings)[1].order < task.order < entries(settings)[2].order
    first = _next(settings)
    assert isinstance(first, Entry) and first.run.id == "z-first"


def test_nothing_ends_before_it_began(settings: Settings, make: Make, set_back: Callable[[], None]) -> None:
    trained = make("trained", state="queued")
    paused = make("paused", state="queued", started_at=status_module.now())
    task = submit_task("retrieval", make("done", state="completed").id, settings).entry
    with StatusWriter(trained.folder) as writer, working(task.task.id, settings) as progress:
        set_back()
        progress.end("done")
        writer.update(state="completed")
    stop(paused, settings)
    found = read_entry(task.folder)
    assert found is not None
    for status in (trained.status(), paused.status(), found.status):
        assert status is not None and status.started_at is not None and status.finished_at is not None
        assert status.finished_at >= status.started_at


def test_a_task_that_is_stopped_while_it_waits(settings: Settings, make: Make, set_back: Callable[[], None]) -> None:
    task = submit_task("retrieval", make("done", state="completed").id, settings).entry
    set_back()
    stop_task(task.task.id, settings)
    again = submit_task("retrieval", "done", settings)
    assert again.new and again.entry.state == "queued"


def test_a_heartbeat_that_lies_ahead_is_no_lost_run(make: Make, set_back: Callable[[], None]) -> None:
    run = make("going", state="queued")
    with StatusWriter(run.folder) as writer:
        set_back()
        snapshot = run.snapshot()
        assert (snapshot.state, snapshot.activity) == ("running", "stalled"), "until its next heartbeat"
        writer.update(step=1)
        assert run.snapshot().activity == "training"
        writer.update(state="stopped")
    assert isinstance(run.status(), Status) and run.state() == "stopped"
