"""Deleting a run that something may still work on."""

from typing import Literal

from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import InputError, RunError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import device
from medqa_core.jobs.queue import locked, store_of
from medqa_core.jobs.tasks import active_tasks
from medqa_core.runs.schema.status import LIVE
from medqa_core.runs.store import bin

InUseBy = Literal["queue", "training", "task"]


class InUse(InputError):
    """The run waits or is worked on; `by` says what is to be stopped before it can be deleted."""

    def __init__(self, run_id: str, by: InUseBy) -> None:
        """`run_id`: which run."""
        self.run_id, self.by = run_id, by
        doing = "waits in the queue" if by == "queue" else "is being worked on"
        super().__init__(f"{run_id} {doing}: stop that first, with `{PROGRAM} stop {run_id}`, then delete the run.")


def delete(run_id: str, settings: Settings) -> bin.DeletedRun:
    """Move a run to the bin unless it waits in the queue or something works on it.

    Raises:
        InUse: the run is queued, being trained or measured.
        InputError: not a run id.
        RunNotFound: no such run.
        RunError: the store cannot be written.
    """
    store = store_of(settings)
    with locked(settings):  # nobody starts it meanwhile
        try:
            state = store.open(run_id).state()
        except RunError:  # what cannot be opened can be deleted all the same
            state = "unreadable"
        by = _in_use(run_id, state, settings)
        if by is not None:
            raise InUse(run_id, by)
        return bin.delete(store, run_id)


def _in_use(run_id: str, state: str, settings: Settings) -> InUseBy | None:
    if state == "queued":
        return "queue"
    if active_tasks(settings, run_id):
        return "task"
    held = device.holder(settings)
    return "training" if state in LIVE or (held is not None and held.run == run_id) else None
