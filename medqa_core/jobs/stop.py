"""Stop: a queued run leaves the queue; a live one is asked to save a checkpoint and end."""

import signal

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import device, signals
from medqa_core.jobs.queue import locked, write_status
from medqa_core.jobs.tasks import active_tasks, stop_task
from medqa_core.runs.artifacts import stop_request
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import LIVE, ProcessIdentity, Status, end_of

KILLED = "It was force-stopped; what came after its last checkpoint is lost."


def stop(run: Run, settings: Settings, *, force: bool = False) -> str:
    """Stop a run; the sentence that says what happens now.

    A process is signalled only if it is the one that the run names: same number, same time of start, same boot.

    Args:
        run: which one.
        settings: where the queue and the locks are.
        force: kill the process instead of asking it. Its last checkpoint remains.

    Raises:
        InputError: there is nothing to stop, or its process is another user's.
    """
    with locked(settings):  # nobody starts it meanwhile
        status = run.status()
        if status is not None and status.state == "queued":
            return _leave_queue(run, status)
    if status is not None and status.state in LIVE and status.process is not None and status.process.is_alive():
        if force:
            signals.kill(status.process)
            _note_kill(run, settings)
            return (
                f"{run.id} was force-stopped. Its last checkpoint remains: train --resume {run.id} continues from it."
            )
        signals.send(status.process, signal.SIGTERM)
        return f"{run.id} is stopping: it saves a checkpoint first, from which train --resume {run.id} continues."
    if run.state() in LIVE and status is not None and status.process is not None:
        return _ask_elsewhere(run, status.process, force=force)
    held = device.holder(settings)
    if held is not None and held.run == run.id and held.doing == "evaluating":
        signals.kill(held.process) if force else signals.send(held.process, signal.SIGTERM)
        return f"{run.id} is trained; its evaluation is being stopped. To evaluate it later: evaluate {run.id}"
    if stopped := [stop_task(e.task.id, settings, force=force) for e in active_tasks(settings, run.id)]:
        return f"{run.id}: {' '.join(dict.fromkeys(stopped))}"
    raise InputError(f"{run.id} is {run.state()}: there is nothing to stop.")


def _ask_elsewhere(run: Run, process: ProcessIdentity, *, force: bool) -> str:
    """No signal gets to another machine; a file in the run folder does, if the worker there looks for it."""
    if force:
        raise InputError(
            f"{run.id} is being trained on {process.host}: end process {process.pid} there, or stop it without --force."
        )
    stop_request.ask(run.folder)
    return (
        f"{run.id} is being trained on {process.host}. A worker of a cluster reads the request within seconds and "
        f"saves a checkpoint first; one that a person started there is stopped there: stop {run.id}"
    )


def _leave_queue(run: Run, status: Status) -> str:
    ended = {"state": "stopped", "process": None, "stage": None, "finished_at": end_of(status.started_at)}
    write_status(run.folder, status.model_copy(update=ended))
    if status.process is not None and status.process.is_alive():  # its worker is just starting
        signals.send(status.process, signal.SIGTERM)
    return f"{run.id} was removed from the queue. To queue it again: train --resume {run.id} --background"


def _note_kill(run: Run, settings: Settings) -> None:
    """The worker cannot write how it ended any more, so this does: otherwise the run would be called lost."""
    with locked(settings):
        status = run.status()
        if status is None or status.state not in LIVE or (status.process and status.process.is_alive()):
            return
        when = end_of(status.started_at)
        ended = {"state": "stopped", "stage": None, "cause": "killed", "error": KILLED, "finished_at": when}
        write_status(run.folder, status.model_copy(update=ended))
