"""Workers: one process per run, in a session of its own, so that it outlives the tab, the page and the server."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from medqa_core.foundation import disk
from medqa_core.foundation.errors import DataUnavailable, InputError, MedQAError, RunError
from medqa_core.foundation.settings import Settings, site_folder
from medqa_core.jobs import device
from medqa_core.jobs.queue import Entry, entries, live, locked, refuse_finished, requeued, turn, write_status
from medqa_core.jobs.task import LOG_FILE, TaskEntry, all_tasks, write_task, write_task_status
from medqa_core.jobs.tasks import queued_tasks
from medqa_core.runs.artifacts.job import Job, evaluates, read_job, write_job
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import Cause, ProcessIdentity, Status, end_of, now

MOST_LAUNCHES = 3
"""Workers that may die before they start training; after that the run has failed."""
LOG = "train.log"
LAST_LINES = 3
"""Lines of train.log that stand in for the reason."""


def advance(settings: Settings) -> list[str]:
    """Start the next queued run or task if the device is free; the ids of those that were started.

    Whoever reads the queue calls this, and each worker does when it ends, so that no process has to stay alive for the
    queue.

    Raises:
        RunError: the store cannot be written, or no process can be started.
    """
    # Without the lock: what polls is cheap where nothing waits.
    if not entries(settings) and not queued_tasks(settings):
        return []
    with locked(settings):
        while (first := _next(settings)) is not None:
            if isinstance(first, TaskEntry):
                if first.task.launches < MOST_LAUNCHES:
                    _start_task(first, settings)
                    return [first.task.id]
                _give_task_up(first)
            elif _launches_left(first):
                _start(first, settings)
                return [first.run.id]
            else:
                _give_up(first)
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
                failed = {"state": "failed", "process": None, "stage": None, **failure}
                failed |= {"finished_at": end_of(status.started_at)}
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


def task_command(task_id: str) -> list[str]:
    """What a task's process is started with."""
    return [sys.executable, "-m", "medqa_core", "task", task_id]


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


def _next(settings: Settings) -> Entry | TaskEntry | None:
    """The run or task whose turn it is; None where the device is taken, or something is about to take it."""
    tasks = all_tasks(settings)
    waiting: list[Entry | TaskEntry] = [*entries(settings), *(task for task in tasks if task.state == "queued")]
    if not waiting or any(entry.starting for entry in waiting) or device.is_taken(settings):
        return None
    if any(not run.elsewhere() for run in live(settings)):  # what another machine trains leaves this one's device free
        return None
    if any(task.state == "running" for task in tasks):
        return None
    return min(waiting, key=lambda entry: entry.order)


def _start(entry: Entry, settings: Settings) -> None:
    folder, line = entry.run.folder, command(entry.run.id)
    job = entry.job or _job_anew(folder, settings)
    identity = _unnoted(line, settings) if job.launches else None
    if identity is None:
        write_job(folder, job.model_copy(update={"launches": job.launches + 1}))
        identity = _spawn(line, folder / LOG, entry.run.id, settings)
    write_status(folder, entry.status.model_copy(update={"process": identity, "stage": "starting"}))


def _job_anew(folder: Path, settings: Settings) -> Job:
    """For a run whose job.json is missing or damaged, which its log then says."""
    for problem in read_job(folder).problems:
        with suppress(OSError), open(folder / LOG, "a", encoding="utf-8") as log:
            log.write(f"{problem} The run is trained and evaluated; its estimate is lost.\n")
    return Job(submitted_at=turn(settings), evaluate=evaluates(folder))


def _start_task(entry: TaskEntry, settings: Settings) -> None:
    task, line = entry.task, task_command(entry.task.id)
    identity = _unnoted(line, settings) if task.launches else None
    if identity is None:
        write_task(entry.folder, task.model_copy(update={"launches": task.launches + 1}))
        identity = _spawn(line, entry.folder / LOG_FILE, task.kind, settings)
    write_task_status(entry.folder, entry.status.model_copy(update={"process": identity}))


def _unnoted(line: list[str], settings: Settings) -> ProcessIdentity | None:
    """The process that a server started with this command for this store and was killed before it could write that."""
    store = str(settings.reports.absolute())
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it ended meanwhile, or is another user's
            if process.cmdline()[1:] == line[1:] and process.environ().get("MEDQA_REPORTS") == store:
                return spawn_identity(process.pid)
    return None


def _spawn(line: list[str], log_file: Path, what: str, settings: Settings) -> ProcessIdentity | None:
    """Start a worker that outlives this process; who it is, or None where it has ended already."""
    try:
        with open(log_file, "ab") as log:
            process = subprocess.Popen(
                line,
                cwd=site_folder(),
                env=environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                close_fds=True,
                start_new_session=True,
            )
    except OSError as error:
        raise RunError(f"No worker can be started for {what}: {error.strerror or error}.") from error
    identity = spawn_identity(process.pid)
    threading.Thread(target=_reap, args=(process, settings), name="reaper", daemon=True).start()
    return identity


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
    when = end_of(entry.status.started_at)
    failed = {"state": "failed", "process": None, "stage": None, "error": error, "cause": "fault", "finished_at": when}
    write_status(entry.run.folder, entry.status.model_copy(update=failed))


def _give_task_up(entry: TaskEntry) -> None:
    error = f"Its process exited {MOST_LAUNCHES} times before it began. Its log says more."
    failed = {"state": "failed", "process": None, "error": error, "finished_at": now()}
    write_task_status(entry.folder, entry.status.model_copy(update=failed))
