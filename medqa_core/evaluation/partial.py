"""What an evaluation has measured so far, question by question, so that an interrupted one can be resumed."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from medqa_core.foundation.files import dumps, loads, write_text
from medqa_core.runs.artifacts.names import forget_older, stored_name

Rows = list[dict[str, Any]]


class Partial:
    """An append-only file of strict JSON rows below a fingerprint: rows of another fingerprint do not count.

    Its first row is the fingerprint of what is measured (weights, data, protocol). A row that was torn by a kill is
    dropped, and with it what follows it.
    """

    def __init__(
        self, path: Path, fingerprint: dict[str, Any], older: Callable[[Rows], Rows] = lambda rows: rows
    ) -> None:
        """Read what is there; anything of another fingerprint, or unreadable, is started anew with the first row.

        Args:
            path: the file; one that an earlier version left under another name is read in its place.
            fingerprint: of what is measured.
            older: brings rows of an earlier version to the form of today.
        """
        self._path = path
        self._fingerprint = fingerprint
        found = older(_rows(path.with_name(stored_name(path.parent, path.name))))
        self.rows: Rows = found[1:] if found and found[0] == fingerprint else []
        """The rows of an earlier, interrupted measurement."""

    def __enter__(self) -> "Partial":
        write_text(self._path, _lines((self._fingerprint, *self.rows)))
        forget_older(self._path)
        self._file = open(self._path, "a", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Keep `rows`; they are on the disk when this returns."""
        self._file.write(_lines(rows))
        self._file.flush()
        os.fsync(self._file.fileno())

    def discard(self) -> None:
        """Remove the file: its rows have found their place in the results."""
        self._path.unlink(missing_ok=True)


def _lines(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(dumps(row) + "\n" for row in rows)


def _rows(path: Path) -> Rows:
    """The whole rows of the file, up to the first that is torn; none where it cannot be read."""
    rows: Rows = []
    with suppress(OSError, ValueError):  # of a torn row, what stands before it counts
        for line in path.read_text("utf-8").split("\n")[:-1]:
            row = loads(line)
            if not isinstance(row, dict):
                break
            rows.append(row)
    return rows
