"""A diagnosis in sentences, the same on every page and in the terminal."""

from medqa_core.data import hub, sources
from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.format import capital
from medqa_core.jobs.diagnosis import Diagnosis, SavedProgress
from medqa_core.jobs.task import LOG_FILE, Kind, TaskEntry
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import Cause

UNEXPLAINED: dict[Cause, str] = {
    "memory": "It ran out of memory.",
    "disk": "The disk was full.",
    "killed": "The process was ended from outside.",
}
"""What is said of a failure whose worker left no sentence."""
REMEDIES: dict[Cause, str] = {
    "nan": "Resuming would fail again. Start a new run with the suggested settings: a third of the learning rate.",
    "memory": (
        "Close other programs and resume it. If it fails again, start a new run with the suggested settings: a lower "
        "`max_tokens_per_forward`, which changes memory and speed and not the result."
    ),
    "input": "Resuming would fail again. Start a new run with other settings.",
    "data": "Put the data back where they were, then resume it.",
    "disk": "Free some space, then resume it.",
    "killed": "Nothing to fix: resume it.",
    "fault": "The end of its log says more. Resuming continues from its last checkpoint.",
}


def happened(found: Diagnosis) -> str:
    """What ended the run."""
    if found.ending == "failed":
        return found.error or UNEXPLAINED.get(found.cause, "Its worker left no reason; the end of its log may tell.")
    if found.ending == "host silent":
        where = f"{found.host}, the machine that trained it" if found.host else "the machine that trained it"
        return f"No update for too long from {where}."
    if found.ending == "machine restarted":
        return "The machine was switched off or restarted while the run was in progress."
    step, memory = found.progress.step, found.memory
    exited = "The process exited unexpectedly" + (f" at step {step:,}" if step else "")
    if found.cause == "memory":
        left = f": {memory.available / 2**30:.1f} of {memory.total / 2**30:.0f} GiB were left" if memory else ""
        return f"{exited}, most likely because the machine ran out of memory{left}."
    if found.cause == "disk":
        return f"{exited}, most likely because the disk is full."
    return f"{exited}, as when it is killed from outside."


def kept(progress: SavedProgress) -> str:
    """What is left of the run: what it logged, and from where it can be resumed."""
    if progress.checkpoint is not None:
        return f"Loss curve saved; last checkpoint at step {progress.checkpoint:,}."
    if progress.step:
        return f"Loss curve saved up to step {progress.step:,}. Without a checkpoint it restarts from the first step."
    return "It had not trained a step yet, so no work is lost."


def remedy(found: Diagnosis) -> str:
    """What to do: resume the run, or start another one with the suggested settings."""
    if found.cause in ("nan", "memory", "input") and found.suggested is None:
        return "Resume it."
    if found.cause == "disk" and found.error:  # the worker's own sentence says already what to do first
        return "Then resume it."
    return REMEDIES[found.cause]


def resume_command(run: Run) -> str:
    """The command that resumes a run, with the configuration it was started with."""
    return f"{PROGRAM} train --resume {run.id}"


NOTHING_LEFT: dict[Kind, str] = {"import": "Nothing was imported.", "fetch": "Nothing was fetched."}
"""Of what nothing is left where it does not end well."""


def what_is_left(entry: TaskEntry) -> str:
    """What is left of a task that was stopped, or did not end well."""
    made = entry.status.run
    if made is not None:
        return f"{made} was imported; `{PROGRAM} report {made}` writes its report."
    return NOTHING_LEFT.get(
        entry.task.kind, "What was measured so far is kept: starting it again continues from there."
    )


def ended_task(entry: TaskEntry) -> tuple[str, ...]:
    """How a task ended: a title, what happened, and what to do."""
    doing, left = capital(entry.task.doing), what_is_left(entry)
    if entry.state == "done":
        return f"{doing}: done.", _made(entry)
    if entry.state == "stopped":
        return f"{doing}: stopped.", left
    if entry.state == "lost":
        return (
            f"{doing}: interrupted.",
            "The process exited unexpectedly, as when it is killed, memory runs out or the machine restarts.",
            f"{left} Start it again." if left in NOTHING_LEFT.values() else left,
        )
    status = entry.status
    error = status.error or f"Its worker left no reason; the end of {LOG_FILE} may tell."
    about = f"{status.field}: " if status.error and status.field else ""
    return f"{doing}: failed.", f"{about}{error}", left


def _made(entry: TaskEntry) -> str:
    if entry.task.kind == "fetch":
        return fetched(entry.task.subject)
    return f"Made {entry.status.run}." if entry.status.run else ""


def fetched(name: str) -> str:
    """What is in the cache by now, and what can be done with it."""
    if name in sources.SOURCES or hub.is_id(name):
        return f"{name} is in the cache: give `{name}` as the data set of a fine-tune."
    return f"{name} is in the cache: a fine-tune of it needs no network from here on."
