"""What there is to see: the run that is being worked on, the queue, and afterwards the plan beside what came of it."""

from dataclasses import dataclass
from typing import Literal

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import device
from medqa_core.jobs.job import Job, read_job
from medqa_core.jobs.queue import Entry, entries, live, store_of
from medqa_core.runs.run import Run
from medqa_core.runs.schema.estimate import Estimate
from medqa_core.runs.schema.status import LIVE, Status, now, overdue

Activity = Literal["waiting", "starting", "training", "stalled", "stopping", "evaluating"]
"""`stalled`: the worker's process is there, but it has been silent for longer than it promised."""


@dataclass(frozen=True)
class Current:
    """A run that is being worked on."""

    run: Run
    status: Status
    activity: Activity
    job: Job | None

    @property
    def share(self) -> float | None:
        """How much of the training is done, 0 to 1; None until the number of steps is known."""
        return progress(self.status)


@dataclass(frozen=True)
class QueueSnapshot:
    """Everything that goes on in a store."""

    current: list[Current]
    waiting: list[Entry]
    """The queue, the next one first."""
    foreign: bool
    """Whether the device is taken by something that is no run of this store."""

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self.current and not self.waiting


def look(settings: Settings) -> QueueSnapshot:
    """What goes on now. Reads files only; `launch.advance` is what starts something."""
    current = [_current(run) for run in live(settings)]
    queued = entries(settings)
    current += [Current(e.run, e.status, "starting", e.job) for e in queued if e.starting]
    measured = evaluating(settings)
    if measured is not None and all(found.run.id != measured.run.id for found in current):
        current.append(measured)
    waiting = [entry for entry in queued if not entry.starting]
    return QueueSnapshot(current, waiting, foreign=not current and device.is_taken(settings))


def evaluating(settings: Settings) -> Current | None:
    """The run whose worker has trained it and now measures base and fine-tuned model, if there is one."""
    held = device.holder(settings)
    if held is None or held.doing != "evaluating" or held.run is None:
        return None
    try:
        run = store_of(settings).open(held.run)
    except MedQAError:  # a run of another store
        return None
    status = run.status()
    return None if status is None or status.state in LIVE else Current(run, status, "evaluating", read_job(run))


def current_of(run: Run, settings: Settings) -> Current | None:
    """What goes on with this run; None where nothing does."""
    status = run.status()
    if status is None:
        return None
    if status.state == "queued":
        entry = Entry(run, status, read_job(run))
        return Current(run, status, "starting" if entry.starting else "waiting", entry.job)
    if run.state in LIVE:
        return _current(run)
    measured = evaluating(settings)
    return measured if measured is not None and measured.run.id == run.id else None


def progress(status: Status) -> float | None:
    """How much of the training is done, 0 to 1; None until the number of steps is known."""
    return min(1.0, status.step / status.total_steps) if status.total_steps else None


@dataclass(frozen=True)
class Outcome:
    """What was foreseen beside what came of it; a part that is not known is None."""

    estimate: Estimate | None
    seconds: float | None
    memory: int | None
    tokens_per_second: float | None

    @property
    def in_range(self) -> bool | None:
        """Whether the training took as long as was foreseen; None where one of the two is not known."""
        if self.estimate is None or self.seconds is None:
            return None
        return self.estimate.train_seconds.low <= self.seconds <= self.estimate.train_seconds.high


def outcome(run: Run) -> Outcome:
    """The plan and the figures of a run that was trained."""
    status, job = run.status(), read_job(run)
    seconds = status.train_seconds if status else None
    speed = status.tokens / seconds if status and status.tokens and seconds else None
    peak = status.memory.peak if status and status.memory else None
    return Outcome(job.estimate if job else None, seconds, peak, speed)


def _current(run: Run) -> Current:
    status = run.status() or Status(state="running")
    activity: Activity = "stopping" if status.state == "stopping" else "training"
    return Current(run, status, "stalled" if overdue(status, now()) else activity, read_job(run))
