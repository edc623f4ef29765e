"""`status.json`: what the worker last said of itself, and what a reader may conclude from that."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psutil
from pydantic import AwareDatetime, Field

from medqa_core.runs.schema import Line, Record

State = Literal["queued", "running", "stopping", "stopped", "completed", "failed"]
Cause = Literal["memory", "disk", "killed", "nan", "data", "input", "fault"]
LIVE: frozenset[str] = frozenset({"running", "stopping"})


class ProcessIdentity(Record):
    """Enough to tell a process from a later one that got the same number."""

    pid: int = Field(ge=1)
    created: float
    """Seconds since the epoch, as the operating system tells it."""
    boot: Line

    @classmethod
    def current(cls) -> "ProcessIdentity":
        """This very process."""
        me = psutil.Process()
        return cls(pid=me.pid, created=me.create_time(), boot=boot_id())

    def is_alive(self) -> bool:
        """Whether that process still runs; a zombie, which has ended but was not reaped, does not."""
        if self.boot != boot_id():
            return False
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.created) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


class Best(Record):
    """The checkpoint that was kept."""

    step: int = Field(ge=0)
    validation_loss: float


class Memory(Record):
    """Memory of the worker in bytes: the machine's, or the accelerator's where it trains on one."""

    used: int = Field(ge=0)
    peak: int = Field(ge=0)
    total: int = Field(ge=0)
    available: int = Field(ge=0)


class Status(Record):
    """The whole of `status.json`."""

    schema_version: Literal[1] = 1
    state: State
    process: ProcessIdentity | None = None
    heartbeat: AwareDatetime | None = None
    next_heartbeat: AwareDatetime | None = None
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    train_seconds: float | None = Field(None, ge=0)
    """Time in the training loop, validation included."""
    step: int = Field(0, ge=0)
    total_steps: int | None = Field(None, ge=0)
    epoch: float = Field(0.0, ge=0)
    best: Best | None = None
    stage: Line | None = None
    """What the worker is doing, in words."""
    attempt: int = Field(1, ge=1)
    """Counts up with every resume."""
    tokens: int = Field(0, ge=0)
    """Tokens trained on so far, prompts included, padding not."""
    tokens_per_second: float | None = Field(None, ge=0)
    """Over the steps of the last minute."""
    remaining_seconds: float | None = Field(None, ge=0)
    """What is left of the training at that speed."""
    memory: Memory | None = None
    error: Line | None = None
    cause: Cause | None = None
    """What kind of failure `error` tells of."""


def derived_state(status: Status) -> str:
    """The state a reader shows: `lost` where a live state is claimed by a process that is gone."""
    if status.state in LIVE and (status.process is None or not status.process.is_alive()):
        return "lost"
    return status.state


def now() -> datetime:
    """The time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def boot_id() -> str:
    """A text that changes when the machine starts anew."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(round(psutil.boot_time() / 60))


def elapsed_since(start: float) -> float:
    """Seconds since `start`, a `time.monotonic()` reading."""
    return round(time.monotonic() - start, 2)
