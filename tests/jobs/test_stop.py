"""Stop asks the right process and no other."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

import psutil
import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.device import hold
from medqa_core.jobs.launch import advance, spawn_identity
from medqa_core.jobs.queue import enqueue, entries
from medqa_core.jobs.stop import stop
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import ProcessIdentity
from tests.support.jobs import SLEEP, until
from tests.support.runs import GONE

Make = Callable[..., Run]
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"


@pytest.fixture
def process() -> "Iterator[Callable[[str], subprocess.Popen[bytes]]]":
    made = []

    def start(code: str) -> "subprocess.Popen[bytes]":
        found = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        made.append(found)
        return found

    yield start
    for one in made:
        with one:
            one.kill()


def identity(process: "subprocess.Popen[bytes]") -> ProcessIdentity:
    found = spawn_identity(process.pid)
    assert found is not None
    return found


def test_a_waiting_run_leaves_the_queue_and_can_come_back(settings: Settings, make: Make) -> None:
    run = make("a", "queued")
    assert "removed from the queue" in stop(run, settings)
    assert run.state() == "stopped"
    assert entries(settings) == []
    assert enqueue(run, settings).new


def test_a_starting_worker_is_stopped_too(settings: Settings, make: Make, worker: Callable[[str], list[int]]) -> None:
    started = worker(SLEEP)
    run = make("a", "queued")
    advance(settings)
    stop(run, settings)
    until(lambda: not psutil.pid_exists(started[0]))
    assert run.state() == "stopped"
    assert len(started) == 1, "a stopped run is not started again"


def test_a_live_run_is_asked(settings: Settings, make: Make, process: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    victim = process(SLEEP)
    run = make("a", "running", process=identity(victim), step=4)
    assert "saves a checkpoint first" in stop(run, settings)
    assert victim.wait(10) == -signal.SIGTERM


def test_a_reused_number_is_never_signalled(
    settings: Settings, make: Make, process: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    bystander = process(SLEEP)
    theirs = identity(bystander)
    assert theirs.ticks is None or theirs.ticks > 0
    earlier = {"created": theirs.created - 100}
    for changed in ({**earlier, "ticks": 1}, {**earlier, "ticks": None}, {"boot": "before"}):
        run = make(f"a-{'-'.join(map(str, changed.values()))}", "running", process=theirs.model_copy(update=changed))
        for force in (False, True):
            with pytest.raises(InputError, match="is lost: there is nothing to stop"):
                stop(run, settings, force=force)
    assert bystander.poll() is None


def test_a_zombie_is_not_alive(
    settings: Settings, make: Make, process: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    dead = process("pass")
    found = identity(dead)
    until(lambda: psutil.Process(dead.pid).status() == psutil.STATUS_ZOMBIE)
    with pytest.raises(InputError, match="lost"):
        stop(make("a", "running", process=found), settings)


def test_by_force(settings: Settings, make: Make, process: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    stubborn = process(STUBBORN)
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    run = make("a", "running", process=identity(stubborn), step=4)
    stop(run, settings)
    assert stubborn.poll() is None
    assert "last checkpoint remains" in stop(run, settings, force=True)
    assert stubborn.wait(10) == -signal.SIGKILL
    status = run.status()
    assert status is not None
    assert (status.state, status.step, status.cause) == ("stopped", 4, "killed")


@pytest.mark.parametrize("force", [False, True])
def test_the_process_of_another_user_is_refused_in_a_sentence(
    force: bool,
    settings: Settings,
    make: Make,
    process: Callable[..., "subprocess.Popen[bytes]"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    theirs = process(SLEEP)

    def refuse(found: psutil.Process, number: int = signal.SIGKILL) -> NoReturn:
        raise psutil.AccessDenied(found.pid)

    monkeypatch.setattr(psutil.Process, "send_signal", refuse)
    monkeypatch.setattr(psutil.Process, "kill", refuse)
    run = make("a", "running", process=identity(theirs))
    with pytest.raises(InputError, match=f"Process {theirs.pid} belongs to another user"):
        stop(run, settings, force=force)
    assert run.state() == "running"


@pytest.mark.parametrize("state", ["stopped", "completed", "failed", "lost"])
def test_nothing_to_stop(state: str, settings: Settings, make: Make) -> None:
    run = make("a", "running" if state == "lost" else state, process=GONE)
    with pytest.raises(InputError, match=f"a is {state}: there is nothing to stop"):
        stop(run, settings)


def test_an_evaluation_is_ended_and_the_training_stays(
    settings: Settings, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make("a", "completed")
    asked: list[int] = []
    monkeypatch.setattr(psutil.Process, "send_signal", lambda self, number: asked.append(self.pid))
    with hold(settings, "a") as held:
        held.update("evaluating", "a")
        assert "its evaluation is being stopped" in stop(run, settings)
    assert asked == [os.getpid()]
    assert run.state() == "completed"
