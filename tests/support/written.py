"""A file whose `write` a test replaces. Imports nothing: it is loaded in processes that are to die early."""

from collections.abc import Callable
from typing import Any


class Written:
    """A file with another `write`; all else is the file's own."""

    def __init__(self, file: Any, write: Callable[[Any], int]) -> None:
        self._file = file
        self.write = write

    def __enter__(self) -> "Written":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
