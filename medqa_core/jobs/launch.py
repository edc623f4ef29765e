"""Workers: one process per run, in a session of its own, so that it outlives the tab, the page and the server."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from medqa_core.foundation import disk
from medqa_core.foundation.errors import DataUnavailable, InputError, MedQAError, RunError
from medqa_core.foundation.settings import Settings, site_folder
from medqa_core.jobs import device
from medqa_core.jobs.job import new_job, write_job
from medqa_core.jobs.queue import Entry, entries, live, locked, refuse_finished, requeued, write_status
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import Cause, ProcessIdentity, Status, now

MOST_LAUNCHES = 3
"""Workers that may die before they start training; after that the run has failed."""
LAST_LINES = 3
"""Lines of train.log that stand in for the reason."""


def advance(settings: Settings) -> list[str]:
    """Start the next queued run if the device is free; the ids of the runs that were started.

    Whoever reads the queue calls this, and each worker does when it ends, so that no process has to stay alive for the
    queue.

    Raises:
        RunError: the store cannot be written, or no process can be started.
    """
    if not entries(settings):  # without the lock: what polls is cheap where nothing waits
        return []
    with locked(settings):
        while waiting := _waiting(settings):
            if not _launches_left(waiting[0]):
                _give_up(waiting[0])
                continue
            _start(waiting[0], settings)
            return [waiting[0].run.id]
    return []


class LeftQueue(InputError):
    """The run that a worker was started for is no longer queued: it was stopped in between."""


@contextmanager
def claimed(run: Run, settings: Settings, *, worker: bool) -> Iterator[None]:
    """The block starts this run in this process, and no other process does.

    Where the block ends before the training has said anything, a worker's run has failed; one that a person resumed
    is what it was before.

    Raises:
        LeftQueue: `worker`, and the run is not queued any more.
        InputError: it is completed, imported, or another process trains it.
    """
    me = ProcessIdentity.current()
    with locked(settings):
        before = run.status() or Status(state="queued")
        if worker and before.state != "queued":
            raise LeftQueue(f"{run.id} is no longer queued: it is {run.state()}.")
        refuse_finished(run)
        other = before.process
        if before.state == "queued" and other is not None and other.pid != me.pid and other.is_alive():
            raise InputError(f"{run.id} is being started by another process; `runs` shows its progress.")
        write_status(run.folder, requeued(before, me))
    failure: dict[str, Any] = {"error": "The worker was interrupted before it started.", "cause": "killed"}
    try:
        yield
    except MedQAError as error:
        failure = {"error": str(error), "cause": _kind(error)}
        raise
    except Exception as error:
        failure = {"error": f"{type(error).__name__}: {error}", "cause": "fault"}
        if isinstance(error, OSError) and disk.trouble(error) is not None:
            failure = {"error": disk.sentence(error), "cause": "disk"}
        raise
    finally:
        with locked(settings):
            status = run.status()
            if status is not None and status.state == "queued" and status.process == me:
                failed = {"state": "failed", "process": None, "stage": None, "finished_at": now(), **failure}
                write_status(run.folder, status.model_copy(update=failed) if worker else before)


def note_stage(run: Run, settings: Settings, stage: str) -> None:
    """What a worker waits for, while its run is still queued."""
    with locked(settings):
        status = run.status()
        if status is not None and status.state == "queued":
            write_status(run.folder, status.model_copy(update={"stage": stage}))


def command(run_id: str) -> list[str]:
    """What a worker is started with."""
    return [sys.executable, "-m", "medqa_core", "train", "--resume", run_id, "--worker"]


def environment(settings: Settings) -> dict[str, str]:
    """A child's environment: the folders as `settings` has them, whatever they were set by."""
    paths = {
        "MEDQA_REPORTS": settings.reports,
        "MEDQA_CACHE": settings.cache,
        "MEDQA_MEDQUAD": settings.medquad,
        "MEDQA_MMLU": settings.mmlu,
    }
    named = {name: str(path.absolute()) for name, path in paths.items() if path is not None}
    return {**os.environ, **named}


def spawn_identity(pid: int) -> ProcessIdentity | None:
    """The identity of a process that was just started; None where it has ended already."""
    try:
        return ProcessIdentity.of(pid)
    except psutil.Error:
        return None


def _waiting(settings: Settings) -> list[Entry]:
    """The runs that could start now: none where the device is taken, or a worker is about to take it."""
    queued = entries(settings)
    if not queued or any(entry.starting for entry in queued) or device.is_taken(settings):
        return []
    if any(not run.elsewhere() for run in live(settings)):  # what another machine trains leaves this one's device free
        return []
    return queued


def _start(entry: Entry, settings: Settings) -> None:
    job = entry.job or new_job(evaluate=False, estimate=None)
    write_job(entry.run.folder, job.model_copy(update={"launches": job.launches + 1}))
    try:
        with open(entry.run.folder / "train.log", "ab") as log:
            process = subprocess.Popen(
                command(entry.run.id),
                cwd=site_folder(),
                env=environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                close_fds=True,
                start_new_session=True,
            )
    except OSError as error:
        raise RunError(f"No worker can be started for {entry.run.id}: {error.strerror or error}.") from error
    identity = spawn_identity(process.pid)
    write_status(entry.run.folder, entry.status.model_copy(update={"process": identity, "stage": "starting"}))
    threading.Thread(target=_reap, args=(process, settings), name="reaper", daemon=True).start()


def _reap(process: "subprocess.Popen[bytes]", settings: Settings) -> None:
    """Wait for a worker, so that it leaves no zombie, and start the next run even if it was killed."""
    process.wait()
    with suppress(MedQAError, OSError):  # nobody sees it here; whoever reads the queue next tries again
        advance(settings)


def _kind(error: MedQAError) -> Cause:
    return "data" if isinstance(error, DataUnavailable) else "input" if isinstance(error, InputError) else "fault"


def _launches_left(entry: Entry) -> bool:
    return entry.job is None or entry.job.launches < MOST_LAUNCHES


def _give_up(entry: Entry) -> None:
    log = [line.strip() for line in entry.run.log_tail().splitlines() if line.strip()]
    said = " / ".join(log[-LAST_LINES:])
    end = f"The end of train.log: {said}" if said else "It wrote nothing to train.log"
    error = f"Its worker exited {MOST_LAUNCHES} times before it started to train. {end[:1500].rstrip('.')}."
    failed = {"state": "failed", "process": None, "stage": None, "error": error, "cause": "fault", "finished_at": now()}
    write_status(entry.run.folder, entry.status.model_copy(update=failed))
