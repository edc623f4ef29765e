"""The queue: runs whose status is `queued`, in the order in which they entered it. It is on disk only."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from medqa_core.foundation.errors import InputError, MedQAError
from medqa_core.foundation.files import write_json
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.checks import check
from medqa_core.jobs.task import ENDED, all_tasks
from medqa_core.runs.artifacts.job import Job, read_job, write_job
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.estimate import Estimate
from medqa_core.runs.schema.status import LIVE, ProcessIdentity, Status
from medqa_core.runs.store.lock import held
from medqa_core.runs.store.run_store import RunStore

RESUMABLE = ("stopped", "lost", "failed", "unknown")
"""States from which a run can be resumed."""


@dataclass(frozen=True)
class Submission:
    """The run that was asked for, and whether it is a new one."""

    run: Run
    new: bool


@dataclass(frozen=True)
class Entry:
    """A run in the queue."""

    run: Run
    status: Status
    job: Job | None

    @property
    def starting(self) -> bool:
        """Whether its worker has been started and has not said `running` yet."""
        return self.status.process is not None and self.status.process.is_alive()

    @property
    def order(self) -> tuple[datetime, str]:
        """What the queue is sorted by."""
        return (self.job.submitted_at if self.job else self.run.record.created_at, self.run.id)


def submit(
    config: TrainConfig,
    settings: Settings,
    *,
    run_id: str | None = None,
    evaluate: bool = True,
    estimate: Estimate | None = None,
) -> Submission:
    """Put a new run into the queue; `launch.advance` starts it when its turn comes.

    A configuration that is already waiting or being trained is not trained twice at the same time: its run is
    returned. So two people, or two tabs, that press the button at once make one run.

    Raises:
        InputError: the id is taken or not valid, or there is no such data set.
        DataUnavailable: the data set is unavailable.
        RunError: the store cannot be written.
    """
    config = check(config, settings)
    store = store_of(settings)
    with locked(settings):
        # Both states in one look: a worker may go from the one to the other at any moment.
        for run in _in_state(settings, LIVE | {"queued"}):
            if run.record.config == config:
                return Submission(run, new=False)

        job = Job(submitted_at=turn(settings), evaluate=evaluate, estimate=estimate)

        def fill(folder: Path) -> None:
            write_job(folder, job)
            write_status(folder, Status(state="queued"))

        return Submission(store.create(store.new_record(config, run_id), fill), new=True)


def enqueue(run: Run, settings: Settings) -> Submission:
    """Put a run that was stopped, failed or was lost back into the queue, to resume from its last checkpoint.

    Raises:
        InputError: it is imported, completed, or being trained.
    """
    with locked(settings):
        if run.state() == "queued":
            return Submission(run, new=False)
        refuse_finished(run)
        job = read_job(run.folder).value
        again, estimate = job is None or job.evaluate, job.estimate if job else None
        write_job(run.folder, Job(submitted_at=turn(settings), evaluate=again, estimate=estimate))
        write_status(run.folder, requeued(run.status() or Status(state="queued")))
        return Submission(run, new=True)


def refuse_finished(run: Run) -> None:
    """Do nothing if there is something left to train and nobody trains it.

    Raises:
        InputError: the run is imported, completed, or being trained.
    """
    if run.record.kind == "imported" or run.record.config is None:
        raise InputError(f"{run.id} is an imported run: there is nothing to resume.")
    state = run.state()
    if state == "completed":
        raise InputError(f"{run.id} is complete: there is nothing to resume. A new fine-tune starts with --preset.")
    if state in LIVE:
        raise InputError(f"{run.id} is {state} and needs no resuming; `runs` shows its progress.")
    if state not in (*RESUMABLE, "queued"):
        raise InputError(f"{run.id} is {state} and cannot be resumed.")


def requeued(status: Status, process: ProcessIdentity | None = None) -> Status:
    """`status` as a queued one, with the progress so far and without what ended it."""
    cleared = dict.fromkeys(
        ("heartbeat", "next_heartbeat", "finished_at", "error", "cause", "stage", "remaining_seconds", "memory")
    )
    return status.model_copy(update={**cleared, "state": "queued", "process": process})


def entries(settings: Settings) -> list[Entry]:
    """All queued runs, the next one first, those included whose worker is starting."""
    found = []
    for run in _in_state(settings, frozenset({"queued"})):
        status = run.status()
        if status is not None and status.state == "queued":
            found.append(Entry(run, status, read_job(run.folder).value))
    return sorted(found, key=lambda entry: entry.order)


def turn(settings: Settings) -> datetime:
    """When what enters the queue now has entered it: behind all that waits, also where the clock was set back since."""
    waiting = [entry.order[0] for entry in entries(settings)]
    waiting += [task.order[0] for task in all_tasks(settings) if task.state not in ENDED]
    return max([datetime.now(UTC), *(moment + timedelta(microseconds=1) for moment in waiting)])


def live(settings: Settings) -> list[Run]:
    """The runs of the store that are being trained now."""
    return _in_state(settings, LIVE)


def write_status(folder: Path, status: Status) -> None:
    """Write the status of a run that has no worker: while one lives, it alone writes."""
    write_json(folder / "status.json", status.model_dump(mode="json"))


def store_of(settings: Settings) -> RunStore:
    """The run store, whose list remembers what has not changed."""
    return _store(settings.reports)


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Nobody else changes the queue while the block runs.

    Raises:
        RunError: the store cannot be written, or another process keeps the queue for too long.
    """

    def unwritable(error: OSError) -> str:
        return f"The run store {settings.reports} cannot be written: {error.strerror or error}."

    busy = "Another process keeps the queue locked; try again in a minute."
    with held(settings.reports / ".queue.lock", busy, unwritable):
        yield


def _in_state(settings: Settings, states: frozenset[str]) -> list[Run]:
    store, found = store_of(settings), []
    for entry in store.list():
        if entry.state in states:
            try:
                found.append(store.open(entry.id))
            except MedQAError:  # it went away, or was damaged, since it was listed
                continue
    return found


@lru_cache(maxsize=8)
def _store(folder: Path) -> RunStore:
    return RunStore(folder)
