"""`status.json`: what the worker last said of itself, and what a reader may conclude from that."""

import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psutil
from pydantic import AwareDatetime, Field

from medqa_core.runs.schema.record import Line, Record

State = Literal["queued", "running", "stopping", "stopped", "completed", "failed"]
Cause = Literal["memory", "disk", "killed", "nan", "data", "input", "fault"]
LIVE: frozenset[str] = frozenset({"running", "stopping"})
Activity = Literal["waiting", "starting", "training", "stalled", "stopping", "evaluating"]
"""What goes on with a run. `stalled`: its worker's process is there, but silent for longer than it promised."""


class ProcessIdentity(Record):
    """Enough to tell a process from a later one that got the same number."""

    pid: int = Field(ge=1)
    created: float
    """Seconds since the epoch, as the operating system tells it."""
    boot: Line
    ticks: int | None = Field(None, ge=0)
    """Clock ticks from the machine's start to the process's (Linux). Setting the clock moves `created` and not this."""
    host: Line | None = None
    """The machine's name, so that a reader on another one knows that it cannot look; None in older runs."""

    @classmethod
    def current(cls) -> "ProcessIdentity":
        """This very process."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """The process that has this number now.

        Raises:
            psutil.Error: none has it.
        """
        created = psutil.Process(pid).create_time()
        return cls(pid=pid, created=created, ticks=_ticks(pid), boot=boot_id(), host=socket.gethostname())

    @property
    def elsewhere(self) -> bool:
        """Whether it is a process of another machine, or of a container with numbers of its own."""
        return self.host is not None and self.host != socket.gethostname()

    def is_alive(self) -> bool:
        """Whether that process still runs here; a zombie, which has ended but was not reaped, does not."""
        if self.elsewhere or self.boot != boot_id():
            return False
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            if self.ticks is not None and (ticks := _ticks(self.pid)) is not None:
                return ticks == self.ticks
            return abs(process.create_time() - self.created) < 1
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

    @property
    def progress(self) -> float | None:
        """How much of the training is done, 0 to 1; None until the number of steps is known."""
        return min(1.0, self.step / self.total_steps) if self.total_steps else None


def derived_state(status: Status) -> str:
    """The state a reader shows: `lost` where a live state is claimed by a process that is gone.

    A process of another machine cannot be looked at: there the run goes on until its promised heartbeat is overdue.
    """
    if status.state not in LIVE:
        return status.state
    if status.process is not None and status.process.elsewhere:
        return status.state if status.next_heartbeat is not None and now() <= status.next_heartbeat else "lost"
    return status.state if status.process is not None and status.process.is_alive() else "lost"


def overdue(status: Status, moment: datetime) -> bool:
    """Whether a live worker is silent for longer than it promised: it is paused, or the machine is out of breath.

    A heartbeat that lies as far ahead is as odd: the clock was set back since.
    """
    heard, promised = status.heartbeat, status.next_heartbeat
    if status.state not in LIVE or heard is None or promised is None:
        return False
    return abs(moment - heard) > promised - heard


def activity_of(status: Status | None, state: str) -> Activity | None:
    """What goes on with a run of this status and derived state, as far as its worker says; None where nothing does."""
    if status is None:
        return None
    if state == "queued":
        return "starting" if status.process is not None and status.process.is_alive() else "waiting"
    if state not in LIVE:
        return None
    if overdue(status, now()):
        return "stalled"
    return "stopping" if state == "stopping" else "training"


def now() -> datetime:
    """The time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def end_of(started_at: datetime | None) -> datetime:
    """When what began then has ended, which is now; never before it began, also where the clock was set back since."""
    return max(now(), started_at or datetime.min.replace(tzinfo=UTC))


def boot_id() -> str:
    """A text that changes when the machine starts anew."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(round(psutil.boot_time() / 60))


def _ticks(pid: int) -> int | None:
    """Field 22 of `/proc/PID/stat`; its second is a name that may hold anything, in brackets."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
