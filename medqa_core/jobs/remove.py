"""Deleting a run that something may still work on."""

from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import InputError, RunError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import device
from medqa_core.jobs.queue import locked, store_of
from medqa_core.jobs.tasks import active_tasks
from medqa_core.runs.schema.status import LIVE
from medqa_core.runs.store import bin


def delete(run_id: str, settings: Settings) -> bin.DeletedRun:
    """Move a run to the bin unless it waits in the queue or something works on it.

    Raises:
        InputError: not a run id, or the run is queued, being trained or measured.
        RunNotFound: no such run.
        RunError: the store cannot be written.
    """
    store = store_of(settings)
    with locked(settings):  # nobody starts it meanwhile
        try:
            state = store.open(run_id).state()
        except RunError:  # what cannot be opened can be deleted all the same
            state = "unreadable"
        if state in LIVE or state == "queued" or _worked_on(run_id, settings):
            doing = "waits in the queue" if state == "queued" else "is being worked on"
            raise InputError(f"{run_id} {doing}: stop that first, with `{PROGRAM} stop {run_id}`, then delete the run.")
        return bin.delete(store, run_id)


def _worked_on(run_id: str, settings: Settings) -> bool:
    held = device.holder(settings)
    return (held is not None and held.run == run_id) or bool(active_tasks(settings, run_id))
