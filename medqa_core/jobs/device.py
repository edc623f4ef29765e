"""One run at a time on a device: a lock of the operating system, which a process cannot keep beyond its death."""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from medqa_core.foundation.errors import MedQAError, RunError, UnreadableFile
from medqa_core.foundation.files import read_json
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.task import DOING, Kind, all_tasks
from medqa_core.runs.schema.status import ProcessIdentity

PATIENCE = 1.0
"""Seconds for which a lock may seem taken that another process only looks at."""

Doing = Literal["training", "evaluating", "measuring"] | Kind
"""What a process does on the device: `measuring` is an estimate, `evaluating` what follows a training."""
WORDS: dict[str, str] = {
    "training": "fine-tuning {}",
    "evaluating": "evaluating {}",
    "measuring": "estimating time and memory",
} | DOING


@dataclass(frozen=True)
class Work:
    """What keeps the device busy."""

    doing: Doing | None = None
    """None where that is not known."""
    subject: str | None = None
    """Its run, or what a task without one works on."""

    def __str__(self) -> str:
        """As in `evaluating run-3`."""
        if self.doing not in WORDS:  # another version of the program wrote it
            return f"working on {self.subject}" if self.subject else "with work that does not say what it is"
        return WORDS[self.doing].format(self.subject or "a run")


class DeviceBusy(MedQAError):
    """Another process works on the device."""

    exit_code = 2


@dataclass
class Holder:
    """The process that holds the device, and what for."""

    doing: Doing
    run: str | None
    """Its run, None where it has none (yet)."""
    process: ProcessIdentity
    _path: Path = field(repr=False)

    def update(self, doing: Doing, run: str | None) -> None:
        """Say what the process does from here on."""
        self.doing, self.run = doing, run
        content = {"doing": doing, "run": run, "process": self.process.model_dump(mode="json")}
        with suppress(OSError):  # it only tells others; the lock is what counts
            self._path.write_text(json.dumps(content), encoding="utf-8")


@contextmanager
def hold(
    settings: Settings, run_id: str | None, *, doing: Doing = "training", waiting: Callable[[], object] | None = None
) -> Iterator[Holder]:
    """Hold the device while the block runs.

    Args:
        settings: where the cache is, in which the locks lie.
        run_id: the run it is held for, where there is one already.
        doing: what for.
        waiting: called once before this waits for a device that is taken; None to be refused instead.

    Raises:
        DeviceBusy: it is taken and `waiting` is None.
        RunError: the lock cannot be made.
    """
    path = _path(settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=PATIENCE, poll_interval=0.05)
        except Timeout:
            if waiting is None:
                raise DeviceBusy(busy_message(work(settings))) from None
            waiting()
            lock.acquire(poll_interval=0.5)
    except OSError as error:
        raise RunError(
            f"The lock of the device cannot be made in {path.parent}: {error.strerror or error}; "
            "free some space or set MEDQA_CACHE to another folder."
        ) from error
    try:
        held = Holder(doing, run_id, ProcessIdentity.current(), path)
        held.update(doing, run_id)
        yield held
    finally:
        with suppress(OSError):
            path.write_text("", encoding="utf-8")
        lock.release()


def is_taken(settings: Settings) -> bool:
    """Whether any process holds the device."""
    path = _path(settings)
    if not path.exists():
        return False
    try:
        with FileLock(path).acquire(blocking=False):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def holder(settings: Settings) -> Holder | None:
    """Who holds the device, if that is known; None where nobody does."""
    path = _path(settings)
    try:
        value = read_json(path)
        found = Holder(value["doing"], value["run"], ProcessIdentity.model_validate(value["process"]), path)
    except (UnreadableFile, KeyError, TypeError, ValueError):
        return None
    return found if found.process.is_alive() else None


def work(settings: Settings) -> Work | None:
    """What the device is taken by, or what holds up the queue without it, as an import; None where nothing does."""
    if is_taken(settings):
        found = holder(settings)
        return Work(found.doing, found.run) if found is not None else Work()
    running = (entry.task for entry in all_tasks(settings) if entry.state == "running")
    return next((Work(task.kind, task.subject) for task in running), None)


def busy_message(found: Work | None) -> str:
    """Why nothing else can start on the device now, and what to do."""
    return (
        f"The device is busy {found or Work()}. Wait for it (`runs` shows how far it is), "
        "or queue the fine-tune with --background."
    )


def _path(settings: Settings) -> Path:
    key = re.sub(r"[^A-Za-z0-9]+", "-", os.environ.get("CUDA_VISIBLE_DEVICES", "")).strip("-") or "default"
    return settings.cache / "locks" / f"{key[:60]}.lock"
