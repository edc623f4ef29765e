"""The tasks of a store: asked for, listed, stopped and cleared away."""

import os
import secrets
import signal
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import remove_folder
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import signals
from medqa_core.jobs.explanation import what_is_left
from medqa_core.jobs.queue import locked, store_of, turn
from medqa_core.jobs.task import (
    ENDED,
    TASKS,
    Kind,
    Task,
    TaskEntry,
    TaskStatus,
    all_tasks,
    find_task,
    write_task,
    write_task_status,
)
from medqa_core.runs.schema.status import LIVE, end_of, now

KEPT = timedelta(days=3)
"""How long a task that has ended stays to be looked at."""
MOST = 200
"""Tasks of a store: more are not queued."""
NEEDS_MODEL: frozenset[Kind] = frozenset({"evaluate", "with_sources", "int8", "mmlu"})


@dataclass(frozen=True)
class TaskSubmission:
    """The task that was asked for, and whether it is a new one."""

    entry: TaskEntry
    new: bool


def submit_task(
    kind: Kind, run_id: str | None, settings: Settings, arguments: Mapping[str, str] | None = None
) -> TaskSubmission:
    """Queue a task; `launch.advance` starts it when the device is free. One that waits or runs already is returned.

    Raises:
        InputError: the run is in work, or holds no model to measure.
        RunNotFound: no such run.
        RunError: the store cannot be written.
    """
    given = dict(arguments or {})
    if run_id is not None:
        _refuse(kind, run_id, settings)
    with locked(settings):
        there = all_tasks(settings)
        for entry in there:
            task = entry.task
            if entry.state not in ENDED and (task.kind, task.run, task.arguments) == (kind, run_id, given):
                return TaskSubmission(entry, new=False)
        _clear_away(there, kind, run_id, given)
        if len(there) >= MOST:
            raise InputError(f"{MOST} tasks are kept already; wait for some of them, or remove those that have ended.")
        moment = turn(settings)
        task_id = f"{moment.strftime('%Y%m%dT%H%M%S%fZ')}-{kind}-{secrets.token_hex(3)}"
        task = Task(id=task_id, kind=kind, run=run_id, arguments=given, submitted_at=moment)
        folder = settings.reports / TASKS / task_id
        temporary = folder.with_name(f".{task_id}.{uuid.uuid4().hex}.tmp")
        write_task(temporary, task)
        write_task_status(temporary, TaskStatus())
        os.rename(temporary, folder)
        return TaskSubmission(TaskEntry(folder, task, TaskStatus()), new=True)


def queued_tasks(settings: Settings) -> list[TaskEntry]:
    """The tasks that wait, the next one first, those included whose process is starting."""
    return [entry for entry in all_tasks(settings) if entry.state == "queued"]


def active_tasks(settings: Settings, run_id: str | None = None) -> list[TaskEntry]:
    """The tasks that wait or run; of one run where it is named."""
    return [e for e in all_tasks(settings) if e.state not in ENDED and run_id in (None, e.task.run)]


def latest_task(
    settings: Settings, kind: Kind, run_id: str | None, arguments: Mapping[str, str] | None = None
) -> TaskEntry | None:
    """The task of this kind that was asked for last for a run, or without one with these arguments; None: no such."""
    found = [entry for entry in all_tasks(settings) if _is_about(entry.task, kind, run_id, dict(arguments or {}))]
    return found[-1] if found else None


def _is_about(task: Task, kind: Kind, run_id: str | None, arguments: Mapping[str, str]) -> bool:
    """Whether a task does the same to the same: to a run, or without one to what its arguments name."""
    return (task.kind, task.run) == (kind, run_id) and (run_id is not None or task.arguments == arguments)


def stop_task(task_id: str, settings: Settings, *, force: bool = False) -> str:
    """Stop a task; the sentence that says what happens now, and what is left of its work. `force`: kill its process.

    Raises:
        InputError: no such task, it has ended, or its process is another user's.
    """
    with locked(settings):  # nobody starts it meanwhile
        entry = _entry(task_id, settings)
        if entry.state in ENDED:
            raise InputError("It has ended already: there is nothing to stop.")
        process = entry.status.process
        if entry.status.state == "queued":
            ended = {"state": "stopped", "process": None, "finished_at": now()}
            write_task_status(entry.folder, entry.status.model_copy(update=ended))
    if process is None or not process.is_alive():
        return "Taken out of the queue."
    if force:
        signals.kill(process)
        _note_kill(task_id, settings)
        return f"It was force-stopped. {what_is_left(entry)}"
    signals.send(process, signal.SIGTERM)
    return f"It is being stopped. {what_is_left(entry)}"


def forget_task(task_id: str, settings: Settings) -> None:
    """Remove a task that has ended.

    Raises:
        InputError: no such task, or it has not ended.
    """
    with locked(settings):
        entry = _entry(task_id, settings)
        if entry.state not in ENDED:
            raise InputError("It has not ended: stop it first.")
        remove_folder(entry.folder)


def _note_kill(task_id: str, settings: Settings) -> None:
    """Its process cannot write how it ended any more, so this does: otherwise the task would be called lost."""
    with locked(settings):
        entry = find_task(task_id, settings)
        if entry is not None and entry.state == "lost":
            ended = {"state": "stopped", "process": None, "finished_at": end_of(entry.status.started_at)}
            write_task_status(entry.folder, entry.status.model_copy(update=ended))


def _refuse(kind: Kind, run_id: str, settings: Settings) -> None:
    run = store_of(settings).open(run_id)
    state = run.state()
    if state in LIVE or state == "queued":
        raise InputError(f"{run_id} is {state}: what it has learnt can be measured when its training has ended.")
    if kind in NEEDS_MODEL and run.weights_file() is None:
        raise InputError(f"{run_id} holds no fine-tuned model: there is nothing to measure.")


def _clear_away(there: list[TaskEntry], kind: Kind, run_id: str | None, given: Mapping[str, str]) -> None:
    """Remove tasks that ended long ago, and the one that the new task repeats."""
    for entry in list(there):
        task, ended = entry.task, entry.state in ENDED
        repeated = kind != "import" and _is_about(task, kind, run_id, given)
        finished = entry.status.finished_at or task.submitted_at
        if ended and (repeated or now() - finished > KEPT):
            remove_folder(entry.folder)
            there.remove(entry)


def _entry(task_id: str, settings: Settings) -> TaskEntry:
    entry = find_task(task_id, settings)
    if entry is None:
        raise InputError("There is no such task (any more).")
    return entry
