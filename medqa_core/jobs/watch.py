"""What is going on: the runs in progress, the queue, and afterwards the estimate beside the actual figures."""

from dataclasses import dataclass, field, replace

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import device
from medqa_core.jobs.queue import Entry, entries, live, store_of
from medqa_core.runs.artifacts.job import read_job
from medqa_core.runs.run import Run
from medqa_core.runs.schema.estimate import Estimate
from medqa_core.runs.schema.status import LIVE, Activity, Status
from medqa_core.runs.snapshot import RunSnapshot


@dataclass(frozen=True)
class Current:
    """A run in progress: starting, being trained, stopped or evaluated."""

    run: Run
    status: Status
    activity: Activity
    snapshot: RunSnapshot = field(repr=False, compare=False)
    """The run's folder when it was looked at."""

    @classmethod
    def of(cls, snapshot: RunSnapshot) -> "Current | None":
        """The run of a snapshot; None where nothing goes on with it."""
        if snapshot.status is None or snapshot.activity is None:
            return None
        return cls(Run(snapshot.folder, snapshot.record), snapshot.status, snapshot.activity, snapshot)

    @property
    def share(self) -> float | None:
        """How much of the training is done, 0 to 1; None until the number of steps is known."""
        return self.status.progress


@dataclass(frozen=True)
class QueueSnapshot:
    """Every run of a store that is in progress or waits."""

    current: tuple[Current, ...]
    waiting: tuple[Entry, ...]
    """The queue, the next one first."""
    other: device.Work | None
    """What else keeps the device busy; None where nothing does, or the runs in progress do."""

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self.current and not self.waiting


def observe(run: Run, settings: Settings) -> RunSnapshot:
    """The run as it is now and what goes on with it, its evaluation included, of which only the device's lock tells."""
    snapshot = run.snapshot()
    ended = snapshot.activity is None and snapshot.status is not None and snapshot.status.state not in LIVE
    return replace(snapshot, activity="evaluating") if ended and run.id == _evaluated(settings) else snapshot


def look(settings: Settings) -> QueueSnapshot:
    """What goes on now. Reads files only; `launch.advance` is what starts something."""
    queued = entries(settings)
    runs = {run.id: run for run in [*live(settings), *(entry.run for entry in queued if entry.starting)]}
    measured = _evaluated(settings)
    if measured is not None and measured not in runs and (found := _opened(measured, settings)) is not None:
        runs[measured] = found
    observed = (Current.of(observe(run, settings)) for run in runs.values())
    current = tuple(found for found in observed if found is not None and found.activity != "waiting")
    waiting = tuple(entry for entry in queued if not entry.starting)
    return QueueSnapshot(current, waiting, other=None if current else device.work(settings))


def _evaluated(settings: Settings) -> str | None:
    """The run on whose test questions the holder of the device measures base and fine-tuned model."""
    held = device.holder(settings)
    return held.run if held is not None and held.doing == "evaluating" else None


def _opened(run_id: str, settings: Settings) -> Run | None:
    try:
        return store_of(settings).open(run_id)
    except MedQAError:  # a run of another store
        return None


@dataclass(frozen=True)
class Outcome:
    """The estimate beside the actual figures; a part that is not known is None."""

    estimate: Estimate | None
    seconds: float | None
    memory: int | None
    tokens_per_second: float | None

    @property
    def in_range(self) -> bool | None:
        """Whether the training time lies in the estimated range; None where one of the two is not known."""
        if self.estimate is None or self.seconds is None:
            return None
        return self.estimate.train_seconds.low <= self.seconds <= self.estimate.train_seconds.high


def outcome(run: Run) -> Outcome:
    """The estimate and the actual figures of a run that was trained."""
    status, job = run.status(), read_job(run.folder).value
    seconds = status.train_seconds if status else None
    speed = status.tokens / seconds if status and status.tokens and seconds else None
    peak = status.memory.peak if status and status.memory else None
    return Outcome(job.estimate if job else None, seconds, peak, speed)
