"""A task: work on a run apart from its training, such as its evaluation, that the queue gives the device to.

A task is a folder in the store's `.tasks/`: `task.json` says what is asked for, `status.json` how far it is, `task.log`
what its process wrote. It is no run and changes no run's status; what it measures is written into the run's folder by
the same code as the command of that name.
"""

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import Literal

from pydantic import AwareDatetime, Field

from medqa_core.foundation.errors import RunError
from medqa_core.foundation.files import write_json
from medqa_core.foundation.settings import Settings
from medqa_core.runs.reading import read_model
from medqa_core.runs.schema.record import Line, Record
from medqa_core.runs.schema.status import ProcessIdentity

TASKS = ".tasks"
TASK_FILE, STATUS_FILE, LOG_FILE = "task.json", "status.json", "task.log"
Kind = Literal["evaluate", "with_sources", "int8", "mmlu", "retrieval", "judge", "import", "fetch"]
DOING: dict[Kind, str] = {
    "evaluate": "evaluating {}",
    "with_sources": "measuring the answers with passages of {}",
    "int8": "measuring what int8 costs {}",
    "mmlu": "measuring MMLU of {}",
    "retrieval": "measuring the retrieval of {}",
    "judge": "asking the judge model about {}",
    "import": "importing {}",
    "fetch": "fetching {}",
}
"""What each kind of task does to what it works on."""
TaskState = Literal["queued", "running", "done", "failed", "stopped", "lost"]
"""`lost` is never written: a reader says so where the process of a running task is gone."""
ENDED: frozenset[TaskState] = frozenset({"done", "failed", "stopped", "lost"})
TASK_ID = re.compile(r"\d{8}T\d{12}Z-[a-z0-9_]{1,20}-[0-9a-f]{6}")


class Task(Record):
    """The whole of `task.json`."""

    schema_version: Literal[1] = 1
    id: str = Field(pattern=TASK_ID.pattern)
    kind: Kind
    run: str | None = None
    """The run that it works on; None for an import, which makes one, and where something is fetched into the cache."""
    arguments: dict[str, Line] = {}
    """What else its command is given."""
    submitted_at: AwareDatetime
    """The queue's order, which tasks and runs share."""
    launches: int = Field(0, ge=0)
    """Processes started for it."""

    @property
    def subject(self) -> str:
        """What it works on: its run, or by its name what is imported or fetched."""
        return self.run or self.arguments.get("name") or PurePath(self.arguments.get("path", "")).name

    @property
    def doing(self) -> str:
        """What it does to what, as in `measuring MMLU of run-3`."""
        return DOING[self.kind].format(self.subject)


class TaskStatus(Record):
    """The whole of a task's `status.json`."""

    schema_version: Literal[1] = 1
    state: Literal["queued", "running", "done", "failed", "stopped"] = "queued"
    process: ProcessIdentity | None = None
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    heartbeat: AwareDatetime | None = None
    stage: Line | None = None
    """What it is doing, by the name that the work itself gives the stage."""
    done: int = Field(0, ge=0)
    """Of the stage's `total` steps."""
    total: int = Field(0, ge=0)
    remaining_seconds: float | None = Field(None, ge=0)
    """Of this stage, at its speed so far."""
    error: Line | None = None
    """Why it failed: one line that a person can act on, without the name of its field."""
    field: Line | None = None
    """Of what the task was given the name of what was not acceptable, as the error has it; None: no single one."""
    run: Line | None = None
    """The run that an import made."""


@dataclass(frozen=True)
class TaskEntry:
    """A task as its folder says."""

    folder: Path
    task: Task
    status: TaskStatus

    @property
    def state(self) -> TaskState:
        """The state that a reader may conclude."""
        if self.status.state == "running" and not self.alive:
            return "lost"
        return self.status.state

    @property
    def alive(self) -> bool:
        """Whether the process that it names is there."""
        return self.status.process is not None and self.status.process.is_alive()

    @property
    def starting(self) -> bool:
        """Whether its process has been started and has not said `running` yet."""
        return self.status.state == "queued" and self.alive

    @property
    def order(self) -> tuple[datetime, str]:
        """What the queue is sorted by."""
        return self.task.submitted_at, self.task.id

    @property
    def share(self) -> float | None:
        """How much of the stage is done, 0 to 1; None where that is not known."""
        return min(1.0, self.status.done / self.status.total) if self.status.total else None


def read_entry(folder: Path) -> TaskEntry | None:
    """The task in a folder; None where there is none that can be read."""
    try:
        task = read_model(folder, TASK_FILE, Task)
    except RunError:
        return None
    try:
        status = read_model(folder, STATUS_FILE, TaskStatus)
    except RunError:
        status = TaskStatus(state="failed", error="Its status cannot be read; start it again.")
    return TaskEntry(folder, task, status) if task.id == folder.name else None


def find_task(task_id: str, settings: Settings) -> TaskEntry | None:
    """The store's task of this id; None where there is none that can be read."""
    return read_entry(settings.reports / TASKS / task_id) if TASK_ID.fullmatch(task_id) else None


def all_tasks(settings: Settings) -> list[TaskEntry]:
    """Every task of the store in the order in which they were asked for, those included that have ended."""
    try:
        names = sorted(name for name in os.listdir(settings.reports / TASKS) if TASK_ID.fullmatch(name))
    except OSError:
        return []
    found = (read_entry(settings.reports / TASKS / name) for name in names)
    return sorted((entry for entry in found if entry is not None), key=lambda entry: entry.order)


def write_task(folder: Path, task: Task) -> None:
    """Replace `task.json`, atomically."""
    write_json(folder / TASK_FILE, task.model_dump(mode="json"))


def write_task_status(folder: Path, status: TaskStatus) -> None:
    """Replace the task's `status.json`, atomically."""
    write_json(folder / STATUS_FILE, status.model_dump(mode="json"))
