"""Why a run ended before its end, and what can be done about it: as data. `explanation` puts it into sentences."""

import re
import shutil
from dataclasses import dataclass
from typing import Literal

from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import CPU_TOKENS_PER_FORWARD, TrainConfig
from medqa_core.runs.schema.status import Cause, Memory, Status, boot_id

SCARCE = 0.04
"""Share of the memory left at the last heartbeat below which memory is the most likely reason."""
FULL = 200 * 2**20
"""Bytes left on the disk below which it is the most likely reason."""
LOG_LINES = 60
"""Lines at the end of train.log that may tell of the end."""
GUESSES: tuple[tuple[Cause, str], ...] = (
    ("disk", r"No space left on device|\[Errno 28\]|os error 28|Disk quota exceeded"),
    ("memory", r"MemoryError|OutOfMemoryError|out of memory|can't allocate memory|oom-kill"),
    ("killed", r"^Killed$|SIGKILL|Segmentation fault|Bus error"),
)
"""Patterns in a log by the cause that they tell of."""

Ending = Literal["failed", "host silent", "machine restarted", "process exited"]
"""How the run ended: its worker says that it failed, or nothing was heard of it any more."""


@dataclass(frozen=True)
class SavedProgress:
    """What a run that ended early leaves to resume from."""

    step: int
    """The last step that was logged; 0 where there is none."""
    checkpoint: int | None
    """The step of the newest checkpoint; None where there is none."""


@dataclass(frozen=True)
class Diagnosis:
    """What ended a run, what is left of it, and how to get on."""

    ending: Ending
    cause: Cause
    """As the worker said, or the most likely one."""
    error: str | None
    """The worker's own sentence."""
    host: str | None
    """The machine that fell silent."""
    memory: Memory | None
    """At the last heartbeat, where memory is the likely cause."""
    progress: SavedProgress
    resumable: bool
    """False where a resumed run would fail again."""
    suggested: TrainConfig | None
    """The configuration of a new run, changed where that should keep it from failing like this one."""


def diagnose(run: Run) -> Diagnosis | None:
    """The diagnosis of a run that failed or was lost; None for any other."""
    status, state = run.status(), run.state()
    if status is None or state not in ("failed", "lost"):
        return None
    ending, cause = _failed(run, status) if state == "failed" else _lost(run, status)
    lost = state == "lost"
    return Diagnosis(
        ending,
        cause,
        error=None if lost else status.error,
        host=status.process.host if ending == "host silent" and status.process is not None else None,
        memory=status.memory if lost and cause == "memory" else None,
        progress=saved_progress(run, status),
        resumable=run.record.config is None or cause not in ("nan", "input"),
        suggested=_suggested(run.record.config, cause),
    )


def saved_progress(run: Run, status: Status) -> SavedProgress:
    """What the run leaves to resume from."""
    return SavedProgress(status.step, checkpoint_step(run))


def checkpoint_step(run: Run) -> int | None:
    """The step of the newest checkpoint, or None where there is none."""
    try:
        names = [path.name for path in (run.folder / "checkpoints").iterdir() if path.is_dir()]
    except OSError:
        return None
    steps = [int(found[1]) for name in names if (found := re.fullmatch(r"step-(\d{1,12})", name))]
    return max(steps, default=None)


def _failed(run: Run, status: Status) -> tuple[Ending, Cause]:
    guessed = _guess(f"{status.error or ''}\n{_log_end(run)}")
    return "failed", status.cause or guessed or "fault"


def _lost(run: Run, status: Status) -> tuple[Ending, Cause]:
    """Most likely reasons first: only what the machine left behind can be known."""
    if status.process is not None and status.process.elsewhere:
        return "host silent", "killed"
    if status.process is not None and status.process.boot != boot_id():
        return "machine restarted", "killed"
    guessed = _guess(_log_end(run))
    memory = status.memory
    if guessed == "memory" or (memory is not None and memory.total and memory.available < SCARCE * memory.total):
        return "process exited", "memory"
    if guessed == "disk" or ((free := _free(run)) is not None and free < FULL):
        return "process exited", "disk"
    return "process exited", "killed"


def _suggested(config: TrainConfig | None, cause: Cause) -> TrainConfig | None:
    if config is None or cause not in ("nan", "memory", "input"):
        return None
    if cause == "nan":
        return config.model_copy(update={"learning_rate": float(f"{config.learning_rate / 3:.2g}")})
    if cause == "memory":
        half = (config.max_tokens_per_forward or CPU_TOKENS_PER_FORWARD) // 2
        return config.model_copy(update={"max_tokens_per_forward": max(16, half)})
    return config


def _guess(text: str) -> Cause | None:
    return next((cause for cause, words in GUESSES if re.search(words, text, re.IGNORECASE | re.MULTILINE)), None)


def _log_end(run: Run) -> str:
    return "\n".join(run.log_tail().splitlines()[-LOG_LINES:])


def _free(run: Run) -> int | None:
    try:
        return shutil.disk_usage(run.folder).free
    except OSError:
        return None
