"""Fine-tunes that stop, go on, wait and run in the background, from the command line."""

import errno
import json
import os
import re
import shutil
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from filelock import FileLock

from medqa_core.foundation.files import read_json, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import launch
from medqa_core.jobs.device import hold
from medqa_core.jobs.queue import submit
from medqa_core.runs.artifacts.job import read_job
from medqa_core.runs.run import Run
from medqa_core.runs.schema.estimate import Estimate
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.status import ProcessIdentity
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training.inputs import load_inputs
from medqa_core.training.trainer_state import TrainerState
from tests.support.commands import Said

Cli = Callable[..., Said]


@pytest.fixture
def store(in_lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """An empty store."""
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    return RunStore(tmp_path / "reports")


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers sleep instead of training."""
    monkeypatch.setattr(launch, "command", lambda _: [sys.executable, "-c", "import time; time.sleep(60)"])
    yield
    monkeypatch.setattr(launch, "advance", lambda _: [])
    for child in psutil.Process().children():
        if "time.sleep(60)" in " ".join(child.cmdline()):
            child.kill()
    for thread in threading.enumerate():
        if thread.name == "reaper":
            thread.join(10)


@pytest.fixture
def at_step_5(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Do something in the middle of step 5."""

    def use(act: Callable[[], object]) -> None:
        step = TrainerState.step

        def acting(self: TrainerState, number: int) -> Any:
            if number == 5:
                act()
            return step(self, number)

        monkeypatch.setattr(TrainerState, "step", acting)

    return use


def steps(run: Run) -> dict[str, list[int]]:
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    rows = [(row["split"], row["step"]) for row in map(json.loads, lines)]
    assert set(Counter(rows).values()) == {1}, "a step was logged twice"
    return {split: [step for name, step in rows if name == split] for split in ("train", "validation")}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_with_a_checkpoint_and_resume_goes_on(
    number: signal.Signals, cli: Cli, store: RunStore, at_step_5: Any
) -> None:
    asked: list[int] = []

    def ask() -> None:
        if not asked:
            asked.append(number)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, lambda *_: pytest.fail("the command set no handler"))
    at_step_5(ask)
    said = cli("train", "--preset", "smoke", "--run-id", "cut", "--evaluate", "--json")
    assert (said.code, said.json["status"]["state"]) == (0, "stopped")
    run = store.open("cut")
    assert (run.state(), run.evaluation()) == ("stopped", None)
    assert steps(run)["train"] == [1, 2, 3, 4]
    again = cli("train", "--resume", "cut")
    assert again.code == 0
    assert re.match(r"cut: completed after 12 of 12 steps; lowest", again.out)
    assert steps(run)["train"] == list(range(1, 13))
    assert "is complete: there is nothing to resume" in cli("train", "--resume", "cut").error


def test_the_second_ctrl_c_does_not_ask(cli: Cli, store: RunStore, at_step_5: Any) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    at_step_5(twice)
    before = signal.getsignal(signal.SIGINT)
    said = cli("train", "--preset", "smoke", "--run-id", "cut")
    assert signal.getsignal(signal.SIGINT) == before
    assert (said.code, store.open("cut").state()) in {(130, "stopped"), (0, "stopped")}


def test_ctrl_c_before_there_is_a_run_leaves_nothing(
    cli: Cli, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return load_inputs(*arguments, **options)

    monkeypatch.setattr("medqa_core.training.train.load_inputs", interrupted)
    said = cli("train", "--preset", "smoke")
    assert (said.code, said.error) == (130, "Interrupted.")
    assert store.list() == []


@pytest.mark.usefixtures("sleeper")
def test_in_the_background(cli: Cli, store: RunStore) -> None:
    first = cli("train", "--preset", "smoke", "--background", "--json")
    assert first.json == {"run": "smoke", "new": True, "started": True}
    second = cli("train", "--preset", "smoke", "--set", "seed=7", "--background")
    assert second.out.startswith("smoke-2: queued.\n")
    again = cli("train", "--preset", "smoke", "--set", "seed=7", "--background", "--json")
    assert again.json == {"run": "smoke-2", "new": False, "started": False}
    job = read_job(store.open("smoke-2").folder).value
    assert job is not None and job.evaluate
    listed = {entry["id"]: entry for entry in cli("runs", "--json").json}
    assert (listed["smoke"]["activity"], listed["smoke-2"]["queue_position"]) == ("starting", 1)
    assert re.search(r"smoke-2 +queued, 1 of 1", cli("runs").out)
    assert "removed from the queue" in cli("stop", "smoke-2").out
    assert cli("stop", "smoke-2").error == "smoke-2 is stopped: there is nothing to stop."
    assert cli("train", "--resume", "smoke-2", "--background", "--json").json["new"]
    assert cli("stop", "smoke", "--json").json["state"] == "stopped"
    assert {entry.id: entry.state for entry in store.list()} == {"smoke": "stopped", "smoke-2": "queued"}


def test_runs_say_how_far_they_are(cli: Cli, store: RunStore, smoke: Run) -> None:
    shutil.copytree(smoke.folder, store.folder / "going")
    path = store.folder / "going" / "status.json"
    going = {"state": "running", "process": ProcessIdentity.current().model_dump(), "step": 5, "remaining_seconds": 700}
    write_json(path, read_json(path) | going)
    assert re.search(r"going +running 42% · 11 min 40 s left", cli("runs").out)
    (entry,) = cli("runs", "--json").json
    facts = ("state", "activity", "step", "total_steps", "remaining_seconds", "queue_position", "error")
    assert tuple(entry[name] for name in facts) == ("running", "training", 5, 12, 700.0, None, None)
    write_json(path, read_json(path) | {"process": {"pid": 2**22 - 1, "created": 1.0, "boot": "x"}})
    assert re.search(r"going +lost", cli("runs").out)


def test_runs_are_listed_where_nothing_can_be_written(
    cli: Cli, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(from_preset("smoke"), Settings.from_environment(), evaluate=False)

    def refuse(self: FileLock, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    assert cli("runs").out.splitlines()[1].startswith("smoke  queued, 1 of 1")


def test_a_busy_device_refuses_in_one_line_that_names_background(cli: Cli, store: RunStore, in_lab: Settings) -> None:
    with hold(in_lab, "theirs"):
        for extra in ((), ("--estimate",)):
            said = cli("train", "--preset", "smoke", *extra)
            assert said.code == 2
            assert "busy fine-tuning theirs" in said.error and "--background" in said.error
    assert store.list() == []


def test_an_estimate(cli: Cli, store: RunStore) -> None:
    found = Estimate.model_validate(cli("train", "--preset", "smoke", "--estimate", "--json").json)
    assert (found.steps, found.measured_steps >= 3) == (12, True)
    shown = cli("train", "--preset", "smoke", "--estimate").out
    assert re.search(r"^time .* on cpu .*\nmemory .* GiB\ncomputed .* GiB from .*\nsteps +12\n", shown)
    assert store.list() == []


def test_a_worker_trains_evaluates_and_lets_the_next_one_start(
    cli: Cli, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_start", lambda *_: None)  # this test is the worker
    cli("train", "--preset", "smoke", "--set", "epochs=1", "--background")
    started: list[str] = []
    monkeypatch.setattr(launch, "_start", lambda entry, _: started.append(entry.run.id))
    cli("train", "--preset", "smoke", "--set", "seed=7", "--background")
    started.clear()
    assert cli("train", "--resume", "smoke", "--worker").code == 0
    run = store.open("smoke")
    assert (run.state(), run.record.config) == ("completed", from_preset("smoke", {"epochs": 1}))
    assert run.evaluation() is not None and run.record.base_model is not None
    assert started == ["smoke-2"]


def test_a_worker_whose_run_left_the_queue_says_so_and_ends(cli: Cli, store: RunStore, smoke: Run) -> None:
    shutil.copytree(smoke.folder, store.folder / "a")
    said = cli("train", "--resume", "a", "--worker")
    assert (said.code, said.out) == (0, "a is no longer queued: it is completed.\n")
