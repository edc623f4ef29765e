"""Workers that start in a moment: each is forked from a server that has imported what training needs.

What runs in them is the command `medqa train --resume RUN --worker` itself, from its arguments on.
"""

import json
import multiprocessing
import os
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.jobs.queue import enqueue, store_of, submit
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from tests.reliability.boundaries import Boundaries

TORN = r"metrics\.jsonl: \d+ lines? could not be read and w(as|ere) left out\."
PATIENCE = 300.0
"""Seconds after which a worker counts as hanging."""
SEED = int(os.environ.get("MEDQA_SEED", "6"))
"""What random moments are drawn from."""
WARM = ["tests.reliability.warm", "tests.reliability.workers"]
"""What the server imports before the first fork."""
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Orders:
    """What is special about a worker."""

    record: Path | None = None
    """Where it writes the names of the boundaries that it passes."""
    die_at: tuple[str, int] | None = None
    """The boundary that it does not survive."""
    heartbeat: tuple[float, float] | None = None
    """Seconds between heartbeats, and those promised on top."""
    pause: float = 0.0
    """Seconds that it waits after each step."""
    clock: tuple[float, int] | None = None
    """Seconds by which its clock is set, and the step after which."""
    arguments: tuple[str, ...] = ("--worker",)
    """What follows `train --resume RUN`."""


@lru_cache(maxsize=1)
def forking() -> Any:
    """Where workers come from. The server starts with the first of them and ends with this process."""
    context = multiprocessing.get_context("forkserver")
    path = os.environ.get("PYTHONPATH")
    # The server is a process of its own, which must find the same modules; it starts with the first fork.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(PACKAGE_ROOT), *([path] if path else [])])
    context.set_forkserver_preload(WARM)
    return context


def start(settings: Settings, run: Run, orders: Orders) -> Any:
    """A worker that has just been started."""
    arguments = (str(settings.reports), str(settings.cache), run.id, orders)
    worker = forking().Process(target=work, args=arguments, daemon=True)
    with _ONE_AT_A_TIME:
        main = sys.modules["__main__"]
        # A forked process first runs the main module of this one, which may be a page that a test has drawn.
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            worker.start()
        finally:
            sys.modules["__main__"] = main
    return worker


def work(reports: str, cache: str, run_id: str, orders: Orders) -> None:
    """A worker's life; its output goes to `worker.out` beside the store."""
    os.environ.update(MEDQA_REPORTS=reports, MEDQA_CACHE=cache, OMP_NUM_THREADS="1")
    sys.stdout = sys.stderr = open(Path(reports).parent / "worker.out", "a", buffering=1)  # noqa: SIM115
    if orders.heartbeat is not None:
        from medqa_core.runs import status_writer as worker

        worker.HEARTBEAT_SECONDS, worker.GRACE_SECONDS = orders.heartbeat  # type: ignore[assignment]
    if orders.pause or orders.clock:
        _interfere(orders)
    if orders.record is not None or orders.die_at is not None:
        Boundaries(Path(reports), orders.record, orders.die_at).install()
    from medqa_core.cli.app import main

    main(["train", "--resume", run_id, *orders.arguments])


def _interfere(orders: Orders) -> None:
    """Let something happen after a step."""
    from medqa_core.training.recorder import Recorder
    from medqa_core.training.trainer_state import StepResult

    step = Recorder.step

    def slower(self: Recorder, result: StepResult) -> None:
        step(self, result)
        time.sleep(orders.pause)
        if orders.clock is not None and result.number == orders.clock[1]:
            set_clock(orders.clock[0])

    Recorder.step = slower  # type: ignore[method-assign]


def set_clock(seconds: float, patch: Callable[[Any, str, Any], object] = setattr) -> None:
    """Let the clock of this process say another time, as if the machine's had been set.

    What the kernel tells of a process's start moves with it, as `/proc/stat`'s `btime` does.
    """
    from medqa_core.runs import snapshot, status_writer
    from medqa_core.runs.schema import status

    wall, booted = time.time, psutil._pslinux.boot_time

    def now() -> datetime:
        return datetime.fromtimestamp(int(wall() + seconds), UTC)

    for module in (status, status_writer, snapshot):
        patch(module, "now", now)
    patch(time, "time", lambda: wall() + seconds)
    patch(psutil._pslinux, "boot_time", lambda: booted() + seconds)


@dataclass
class Chain:
    """One run and the workers that died over it. After each, what must hold is checked."""

    settings: Settings
    run: Run
    kills: int = 0
    told: list[str] = field(default_factory=list)
    """What happened so far, for the message of a failure."""
    _seen: bytes = b""
    _reached: int = 0
    """The step of the highest checkpoint that was ever there."""

    @classmethod
    def of(cls, settings: Settings, config: TrainConfig, run_id: str) -> "Chain":
        """A new run in the queue."""
        return cls(settings, submit(config, settings, run_id=run_id, evaluate=False).run)

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do."""
        return self.run.state() == "completed"

    def attempt(self, orders: Orders = Orders(), delay: float | None = None) -> bool:
        """Let a worker work until it ends or, after so many seconds, is killed. Whether it died."""
        enqueue(self.run, self.settings)
        begin, reached = len(self._seen), self._reached
        worker = start(self.settings, self.run, orders)
        end = time.monotonic() + (PATIENCE if delay is None else delay)
        while worker.is_alive() and time.monotonic() < end:
            self._look()
            worker.join(min(0.05, max(0.0, end - time.monotonic())))
        if worker.is_alive():
            assert delay is not None, self.words("the worker hangs")
            worker.kill()
        worker.join()
        died: bool = worker.exitcode == -signal.SIGKILL
        assert died or worker.exitcode == 0, self.words(f"the worker ended with {worker.exitcode}")
        self.kills += died
        self.told.append(f"{orders.die_at or delay}: {'killed' if died else 'ended'}")
        self._check(died)
        trained = [row["step"] for row in parsed(self._seen[begin:]) if row["split"] == "train"]
        assert not trained or min(trained) > reached, self.words(f"the checkpoint of step {reached} was not used")
        return died

    def words(self, what: str) -> str:
        """A failure with what led to it."""
        out = self.settings.reports.parent / "worker.out"
        said = out.read_text(errors="replace")[-1500:] if out.exists() else ""
        return f"{what}; {self.run.id} after {self.told}\n{self.run.log_tail()[-1500:]}\n{said}"

    def _look(self) -> None:
        """A reader, at any moment."""
        entry = next(entry for entry in store_of(self.settings).list() if entry.id == self.run.id)
        assert entry.problem is None and entry.state != "unreadable", self.words(str(entry))
        assert self.run.status() is not None, self.words("status.json cannot be read")
        path = self.run.folder / "metrics.jsonl"
        content = path.read_bytes() if path.exists() else b""
        assert content.startswith(self._seen), self.words("rows that a reader saw are gone")
        self._seen = content
        self._reached = max(self._reached, *steps_of(self.run.folder))

    def _check(self, died: bool) -> None:
        from medqa_core.training import checkpoint

        self._look()
        allowed = {"lost", "queued", "completed"} if died else {"completed"}
        assert self.run.state() in allowed, self.words(f"it is {self.run.state()}")
        odd = [line for line in self.run.metrics_log().problems if not re.fullmatch(TORN, line)]
        assert not odd or not self._seen, self.words(f"{odd}")
        if not self.complete:
            for folder in (self.run.folder / "checkpoints").glob("step-*"):
                checkpoint._read(folder)  # raises where it is not whole


def steps_of(run_folder: Path) -> list[int]:
    """The steps of the checkpoints that are there."""
    return [0, *(int(path.name.removeprefix("step-")) for path in (run_folder / "checkpoints").glob("step-*"))]


def parsed(lines: bytes) -> list[dict[str, Any]]:
    """Rows of metrics.jsonl in their order; what a kill tore is left out."""
    rows = []
    for line in lines.decode(errors="replace").splitlines():
        with suppress(ValueError):
            rows.append(json.loads(line))
    return rows


def losses_of(run: Run) -> dict[tuple[str, int], float]:
    """The loss of each split and step, as a reader sees the run."""
    metrics_log = run.metrics_log()
    return {
        (split, int(step)): float(loss)
        for split in ("train", "validation")
        for step, loss in zip(getattr(metrics_log, split)["step"], getattr(metrics_log, split)["loss"], strict=True)
    }


def say(text: str) -> None:
    """Progress, to be seen with `pytest -s`."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def seeded(seed: int) -> Iterator[random.Random]:
    """Random numbers whose seed is printed where the block fails."""
    try:
        yield random.Random(seed)
    except BaseException:
        say(f"the moments came from seed {seed}")
        raise
