"""One change of a store's folders at a time: labels, the bin. A lock of the operating system."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from medqa_core.foundation import disk
from medqa_core.foundation.errors import RunError

LOCK = ".changes.lock"
PATIENCE = 20.0
"""Seconds to wait for another process, whose change takes it milliseconds."""


@contextmanager
def changing(store: Path) -> Iterator[None]:
    """Nobody else labels, deletes or restores a run of this store while the block runs.

    Raises:
        RunError: the store cannot be written, or another process keeps the lock for too long.
    """
    try:
        with FileLock(store / LOCK).acquire(timeout=PATIENCE, poll_interval=0.02):
            yield
    except Timeout as error:
        raise RunError("Another process is changing the run store; try again in a minute.") from error
    except OSError as error:
        raise RunError(disk.sentence(error)) from error
