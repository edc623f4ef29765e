"""Locks of a store, which are the operating system's: one change of its folders at a time, one of its queue."""

from collections.abc import Callable, Iterator
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
    with held(store / LOCK, "Another process is changing the run store; try again in a minute."):
        yield


@contextmanager
def held(path: Path, busy: str, unwritable: Callable[[OSError], str] = disk.sentence) -> Iterator[None]:
    """The block runs while this process, and no other, holds the lock at `path`.

    Args:
        path: the file of the lock; its folder is made where it is missing.
        busy: what is said where another process keeps the lock.
        unwritable: says why the lock cannot be made. An error in the block is the disk's, and said as such.

    Raises:
        RunError: the lock cannot be made or had in time, or the block failed to read or write a file.
    """
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=PATIENCE, poll_interval=0.02)
    except Timeout as error:
        raise RunError(busy) from error
    except OSError as error:
        raise RunError(unwritable(error)) from error
    try:
        yield
    except OSError as error:
        raise RunError(disk.sentence(error)) from error
    finally:
        lock.release()
