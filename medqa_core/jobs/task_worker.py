"""The process of a task: it claims the task, says how far it is, and how it ended."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from medqa_core.foundation import disk
from medqa_core.foundation.errors import InputError, MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.queue import locked
from medqa_core.jobs.task import Task, TaskEntry, TaskStatus, find_task, write_task_status
from medqa_core.runs.schema.status import ProcessIdentity, end_of, now

EVERY_SECONDS = 1.0
"""How often progress is written."""
HEARTBEAT_SECONDS = 10.0


class TaskProgress:
    """What the work calls with its progress; the only writer of the task's status while it runs."""

    def __init__(self, entry: TaskEntry) -> None:
        self.task: Task = entry.task
        self._folder = entry.folder
        self._status = TaskStatus(state="running", process=ProcessIdentity.current(), started_at=now())
        self._lock = threading.Lock()
        self._written = 0.0
        self._stage_began: tuple[float, int] = (time.monotonic(), 0)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="task-heartbeat", daemon=True)
        self._write()
        self._thread.start()

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Say how far a stage is: `done` of `total` steps."""
        with self._lock:
            moment = time.monotonic()
            if stage != self._status.stage:
                self._stage_began, self._written = (moment, done), 0.0
            began, first = self._stage_began
            speed = (done - first) / (moment - began) if done > first and moment > began else None
            left = (total - done) / speed if speed else None
            changes = {"stage": stage, "done": max(0, done), "total": max(0, total), "remaining_seconds": left}
            self._status = self._status.model_copy(update=changes)
            if moment - self._written >= EVERY_SECONDS or done >= total:
                self._write()

    def stage(self, stage: str) -> None:
        """Say what it does where steps are not known."""
        self(stage, 0, 0)

    def made(self, run_id: str) -> None:
        """Say which run it has made, before anything else is done: it is there, however the task ends."""
        with self._lock:
            self._status = self._status.model_copy(update={"run": run_id})
            self._write()

    def end(self, state: str, **changes: Any) -> None:
        """The last word."""
        self._ended.set()
        self._thread.join()
        with self._lock:
            last = {
                "state": state,
                "finished_at": end_of(self._status.started_at),
                "process": None,
                "remaining_seconds": None,
                **changes,
            }
            self._status = TaskStatus.model_validate({**dict(self._status), **last})
            self._write()

    def _write(self) -> None:
        self._status = self._status.model_copy(update={"heartbeat": now()})
        self._written = time.monotonic()
        with suppress(OSError):  # a full disk ends the work itself, with a sentence
            write_task_status(self._folder, self._status)

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            with self._lock:
                self._write()


@contextmanager
def working(task_id: str, settings: Settings) -> Iterator[TaskProgress]:
    """The block does the task in this process; its status says how that ended.

    Raises:
        InputError: no such task, or it is not queued any more: it was stopped, or another process has it.
    """
    with locked(settings):
        entry = find_task(task_id, settings)
        if entry is None or entry.status.state != "queued":
            raise InputError(f"{task_id} is not queued: it was stopped or has ended.")
        progress = TaskProgress(entry)
    try:
        yield progress
    except MedQAError as error:
        progress.end("failed", error=error.reason, field=error.field)
        raise
    except KeyboardInterrupt:
        progress.end("stopped")
        raise
    except OSError as error:
        progress.end("failed", error=disk.sentence(error) if disk.trouble(error) else f"{error}.")
        raise
    except MemoryError:
        progress.end("failed", error="It ran out of memory. Close other programs and start it again: it continues.")
        raise
    except Exception as error:
        progress.end("failed", error=f"{type(error).__name__}: {error}. Its log says more.")
        raise
    except BaseException:
        progress.end("stopped")
        raise
