"""Workers start one at a time, start again where they died too early, and never block the queue."""

import os
import signal
from collections.abc import Callable

import psutil
import pytest

from medqa_core.foundation.errors import DataUnavailable, InputError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.device import hold
from medqa_core.jobs.launch import MOST_LAUNCHES, LeftQueue, advance, claimed, environment, note_stage
from medqa_core.jobs.queue import enqueue, entries, submit, write_status
from medqa_core.runs.artifacts.job import read_job
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.status import ProcessIdentity, Status
from tests.support.jobs import DIES, SLEEP, TRAINS, until
from tests.support.runs import GONE

Make = Callable[..., Run]
Use = Callable[[str], list[int]]


def wait(settings: Settings, *ids: str) -> list[Run]:
    """Put runs into the queue."""
    return [
        submit(from_preset("smoke", {"seed": seed}), settings, run_id=run_id).run
        for seed, run_id in enumerate(ids)
    ]  # fmt: skip


def status_of(run: Run) -> Status:
    status = run.status()
    assert status is not None
    return status


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid)


def test_one_worker_for_the_first_run(settings: Settings, worker: Use) -> None:
    started = worker(TRAINS)
    first, second = wait(settings, "first", "second")
    assert advance(settings) == ["first"]
    assert advance(settings) == []
    (pid,) = started
    assert os.getsid(pid) == pid != os.getsid(0), "the worker is in a session of its own"
    until(lambda: "training" in first.log_tail())
    assert advance(settings) == []
    assert (first.state(), status_of(first).step, second.state()) == ("running", 3, "queued")
    os.kill(pid, signal.SIGKILL)
    until(lambda: len(started) == 2)  # the reaper saw it and let the queue go on
    until(lambda: second.state() == "running")
    assert first.state() == "lost"
    until(lambda: gone(pid))  # and it is no zombie


def test_a_worker_waits_as_its_parent_does(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")  # a person set it
    assert environment(settings)["OMP_WAIT_POLICY"] == "ACTIVE"


def test_nothing_starts_while_the_device_is_taken(settings: Settings, worker: Use, make: Make) -> None:
    wait(settings, "a")
    with hold(settings, "foreign"):
        assert advance(settings) == []
    going = make("going", "running", process=ProcessIdentity.current())
    assert advance(settings) == []
    write_status(going.folder, Status(state="running", process=GONE))  # it was killed
    assert advance(settings) == ["a"]


def test_an_empty_store_is_left_alone(settings: Settings) -> None:
    assert advance(settings) == []
    assert not settings.reports.exists()


def test_a_worker_that_dies_at_once_is_started_again_but_not_for_ever(settings: Settings, worker: Use) -> None:
    started = worker(DIES)
    (run,) = wait(settings, "a")
    advance(settings)
    until(lambda: run.state() == "failed")
    assert len(started) == MOST_LAUNCHES
    status = status_of(run)
    assert status.cause == "fault"
    assert "exited 3 times before it started" in (status.error or "")
    assert "no such thing as a" in (status.error or "")
    enqueue(run, settings)
    job = read_job(run.folder).value
    assert job is not None and job.launches == 0


def test_the_queue_goes_on_after_one_that_never_started(settings: Settings, worker: Use) -> None:
    worker(DIES)
    first, second = wait(settings, "first", "second")
    advance(settings)
    until(lambda: first.state() == "failed")
    until(lambda: second.state() == "failed")


def test_a_claimed_run_is_nobody_else_s(settings: Settings, worker: Use, make: Make) -> None:
    (run,) = wait(settings, "a")
    advance(settings)  # its worker is on its way
    with pytest.raises(InputError, match="being started by another process"), claimed(run, settings, worker=False):
        pytest.fail("two processes start one run")
    with claimed(make("b", "stopped", step=5), settings, worker=False):
        (entry,) = [e for e in entries(settings) if e.run.id == "b"]
        assert entry.starting and entry.status.step == 5


def test_a_worker_whose_run_was_stopped_in_between_does_nothing(settings: Settings, make: Make) -> None:
    run = make("a", "stopped")
    with pytest.raises(LeftQueue, match="a is no longer queued"), claimed(run, settings, worker=True):
        pytest.fail("it was stopped")
    assert run.state() == "stopped"


def test_a_person_who_interrupts_a_resume_leaves_the_run_as_it_was(settings: Settings, make: Make) -> None:
    run = make("a", "failed", step=5, error="The disk is full.", cause="disk")
    before = run.status()
    with pytest.raises(KeyboardInterrupt), claimed(run, settings, worker=False):
        raise KeyboardInterrupt
    assert run.status() == before


@pytest.mark.parametrize(
    ("error", "cause"),
    [(DataUnavailable("No data."), "data"), (InputError("No data."), "input"), (ValueError("No data."), "fault")],
)
def test_a_worker_that_cannot_begin_has_failed(error: Exception, cause: str, settings: Settings, make: Make) -> None:
    run = make("a", "queued")
    with pytest.raises(type(error)), claimed(run, settings, worker=True):
        raise error
    status = status_of(run)
    assert (status.state, status.cause, status.process) == ("failed", cause, None)
    assert "No data." in (status.error or "")


def test_what_the_worker_wrote_stays(settings: Settings, make: Make) -> None:
    run = make("a", "queued")
    with claimed(run, settings, worker=True):
        write_status(run.folder, Status(state="completed", step=12))
    assert run.state() == "completed"


def test_a_waiting_worker_says_what_for(settings: Settings, make: Make) -> None:
    run = make("a", "queued")
    note_stage(run, settings, "waiting for the device")
    assert status_of(run).stage == "waiting for the device"
    write_status(run.folder, Status(state="running"))
    note_stage(run, settings, "waiting for the device")
    assert status_of(run).stage is None


def test_a_worker_that_its_server_could_not_write_down_is_found(settings: Settings, worker: Use) -> None:
    started = worker(SLEEP)
    (run,) = wait(settings, "a")
    advance(settings)
    status = status_of(run)
    write_status(run.folder, status.model_copy(update={"process": None, "stage": None}))  # killed before it wrote
    assert advance(settings) == ["a"] and advance(settings) == []
    assert (status_of(run).process, started) == (status.process, [started[0]] * 2), "looked at twice, started once"
    job = read_job(run.folder).value
    assert job is not None and job.launches == 1


def test_a_job_that_cannot_be_read_is_said_and_evaluated(settings: Settings, worker: Use) -> None:
    worker(SLEEP)
    (run,) = wait(settings, "a")
    (run.folder / "job.json").write_text("{")
    assert "job.json" in run.snapshot().problems[0]
    assert advance(settings) == ["a"]
    assert "job.json" in run.log_tail() and "its estimate is lost" in run.log_tail()
    job = read_job(run.folder).value
    assert job is not None and job.evaluate and job.launches == 1
