"""What was read of run folders, kept in memory while the files are the ones that it was read from."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from medqa_core.foundation.stamp import FileStamp
from medqa_core.runs.reading import Reading

T = TypeVar("T")

SETTLED = 2 * 10**9
"""Nanoseconds for which a file must have been left alone before what was read of it is kept: a change within the same
tick of the file system's clock, two seconds at the coarsest, could not be told from the stamp."""


@dataclass(frozen=True)
class _Part:
    stamp: FileStamp
    reading: Reading[Any]


class PartCache:
    """Readings by folder and file name, the ones used last; safe to share between threads."""

    def __init__(self, *, parts: int, size: int) -> None:
        """At most so many parts, of files that take at most `size` bytes together."""
        self._most, self._room = parts, size
        self._parts: OrderedDict[tuple[str, str], _Part] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def read(self, folder: Path, name: str, stamp: FileStamp, read: Callable[[Path], Reading[T]]) -> Reading[T]:
        """What `read(folder)` makes of the file `name`: of the memory if it has the stamp that it was read under.

        Args:
            folder: the run's folder.
            name: the file's path below it.
            stamp: taken before this call, so that what is written meanwhile is read again the next time.
            read: reads the file; called without the lock, so that one slow file keeps nobody waiting.
        """
        key = (str(folder), name)
        with self._lock:
            part = self._parts.get(key)
            if part is not None and part.stamp == stamp:
                self._parts.move_to_end(key)
                return cast(Reading[T], part.reading)
        now = time.time_ns()
        reading = read(folder)
        with self._lock:
            self._drop(key)
            if now - stamp.modified > SETTLED and stamp.size <= self._room:
                self._parts[key] = _Part(stamp, reading)
                self._size += stamp.size
                while self._size > self._room or len(self._parts) > self._most:
                    self._drop(next(iter(self._parts)))
        return reading

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._parts.clear()
            self._size = 0

    def _drop(self, key: tuple[str, str]) -> None:
        part = self._parts.pop(key, None)
        if part is not None:
            self._size -= part.stamp.size
