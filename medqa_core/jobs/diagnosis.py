"""Why a run ended before its end, in words, and what to do about it."""

import re
import shutil
from dataclasses import dataclass

from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.status import Cause, Status, boot_id

SCARCE = 0.04
"""Share of the memory left at the last heartbeat below which memory is the most likely reason."""
FULL = 200 * 2**20
"""Bytes left on the disk below which it is the most likely reason."""
DEFAULT_PASS = 1024
"""Tokens a pass where the configuration leaves them to the program."""
LOG_LINES = 60
"""Lines at the end of train.log that may tell of the end."""
GUESSES: tuple[tuple[Cause, str], ...] = (
    ("disk", r"No space left on device|\[Errno 28\]|os error 28|Disk quota exceeded"),
    ("memory", r"MemoryError|OutOfMemoryError|out of memory|can't allocate memory|oom-kill"),
    ("killed", r"^Killed$|SIGKILL|Segmentation fault|Bus error"),
)
"""Words in a log by what they tell of."""


@dataclass(frozen=True)
class Diagnosis:
    """What happened, what it means for the work, what to do; each a sentence or two."""

    cause: Cause
    happened: str
    kept: str
    remedy: str
    resume: str | None
    """The command that goes on from the last checkpoint; None where that would end the same way."""
    fresh: TrainConfig | None
    """The configuration of a new run, changed so that it should not end like this one."""


def diagnose(run: Run) -> Diagnosis | None:
    """The diagnosis of a run that failed or was lost; None for any other."""
    status, state = run.status(), run.state()
    if status is None or state not in ("failed", "lost"):
        return None
    cause, happened = _failed(run, status) if state == "failed" else _lost(run, status)
    return Diagnosis(cause, happened, kept(run, status), *_remedy(run, cause, told=bool(status.error)))


def resume_command(run: Run) -> str:
    """The command that goes on with a run, with the configuration it was started with."""
    return f"python -m medqa_core train --resume {run.id}"


def kept(run: Run, status: Status) -> str:
    """What is left of the run: what it logged, and from where it can go on."""
    checkpoint = checkpoint_step(run)
    if checkpoint is not None:
        return f"Its curve is safe, and its last checkpoint is that of step {checkpoint:,}."
    if status.step:
        return f"What it logged until step {status.step:,} is safe. Without a checkpoint it starts from the first step."
    return "It had not trained a step yet, so no work is lost."


def checkpoint_step(run: Run) -> int | None:
    """The step of the newest checkpoint, or None where there is none."""
    try:
        names = [path.name for path in (run.folder / "checkpoints").iterdir() if path.is_dir()]
    except OSError:
        return None
    steps = [int(found[1]) for name in names if (found := re.fullmatch(r"step-(\d{1,12})", name))]
    return max(steps, default=None)


def _failed(run: Run, status: Status) -> tuple[Cause, str]:
    guessed = _guess(f"{status.error or ''}\n{_log_end(run)}")
    cause: Cause = status.cause or guessed or "fault"
    if status.error:
        return cause, status.error
    words = {
        "memory": "It ran out of memory.",
        "disk": "The disk was full.",
        "killed": "Its process was ended from outside.",
    }
    return cause, words.get(cause, "Its worker left no reason; the end of its log may tell.")


def _lost(run: Run, status: Status) -> tuple[Cause, str]:
    """Most likely reasons first: only what the machine left behind can be known."""
    if status.process is not None and status.process.elsewhere:
        return "killed", f"Nothing has been heard for too long from {status.process.host}, the machine that trained it."
    if status.process is not None and status.process.boot != boot_id():
        return "killed", "The machine was switched off or started anew while the run was going on."
    at = f" at step {status.step:,}" if status.step else ""
    ended = f"Its process ended without a word{at}"
    guessed = _guess(_log_end(run))
    memory = status.memory
    if guessed == "memory" or (memory is not None and memory.total and memory.available < SCARCE * memory.total):
        left = f": {memory.available / 2**30:.1f} of {memory.total / 2**30:.0f} GiB were left" if memory else ""
        return "memory", f"{ended}, most likely because the machine ran out of memory{left}."
    if guessed == "disk" or ((free := _free(run)) is not None and free < FULL):
        return "disk", f"{ended}, most likely because the disk is full."
    return "killed", f"{ended}, as when it is killed from outside."


def _remedy(run: Run, cause: Cause, *, told: bool) -> tuple[str, str | None, TrainConfig | None]:
    """What to do, the command to resume with, and a fresh start's settings where going on may end the same way.

    `told`: the worker's own sentence says already what to mend.
    """
    config, resume = run.record.config, resume_command(run)
    if config is not None and cause == "nan":
        calmer = {"learning_rate": float(f"{config.learning_rate / 3:.2g}")}
        return (
            "Going on would end the same way. Start anew with a third of the learning rate:",
            None,
            config.model_copy(update=calmer),
        )
    if config is not None and cause == "memory":
        fewer = {"max_tokens_per_forward": max(16, (config.max_tokens_per_forward or DEFAULT_PASS) // 2)}
        remedy = (
            "Close other programs and resume it. If it ends the same way, start a new run with a lower "
            "`max_tokens_per_forward`, which changes memory and speed and not the result:"
        )
        return remedy, resume, config.model_copy(update=fewer)
    if config is not None and cause == "input":
        return "Start anew with other settings; it was started with:", None, config
    words: dict[Cause, str] = {
        "data": "Bring the data back to where they were, then resume it:",
        "disk": "Then, to go on:" if told else "Free some space, then resume it:",
        "killed": "Nothing needs mending. To go on:",
        "fault": "The end of its log says more. To try again from there:",
    }
    return words.get(cause, "To go on:"), resume, None


def _guess(text: str) -> Cause | None:
    return next((cause for cause, words in GUESSES if re.search(words, text, re.IGNORECASE | re.MULTILINE)), None)


def _log_end(run: Run) -> str:
    return "\n".join(run.log_tail().splitlines()[-LOG_LINES:])


def _free(run: Run) -> int | None:
    try:
        return shutil.disk_usage(run.folder).free
    except OSError:
        return None
