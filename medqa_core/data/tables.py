"""A table as it was read from a file: its columns, its rows with their places, what was left out and what is wrong.

A row's number is what a person counts: the line of a text file on which the row starts (a CSV's header is line 1),
the place in a list, a sheet or a Parquet file otherwise, from 1.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from medqa_core.foundation.errors import InputError, shorten
from medqa_core.foundation.format import plural

FILE_LIMIT = 512 * 2**20
"""Largest file that is read, in bytes; of a packed file, also what it unpacks to."""
ROW_LIMIT = 1_000_000
TEXT_LIMIT = 100_000
"""Longest text of one cell, in characters: some fifty pages."""
SHOWN = 3
"""Problems of a file that are told one by one."""
ENOUGH = 50
"""Problems of a file after which it is not read further."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells by column name, and where it stands."""

    file: str
    number: int
    values: Mapping[str, Any]

    def refuse(self, column: str, what: str) -> "CellRefused":
        """The error that a cell of this row does not fit."""
        return CellRefused(self, self.place(column), what)

    def place(self, column: str) -> str:
        """Where a cell stands: row and column."""
        return f"row {self.number:,}, column {shorten(column)!r}"


class CellRefused(InputError):
    """A cell that does not fit, and where it stands."""

    def __init__(self, row: Row, where: str, what: str) -> None:
        super().__init__(f"{row.file}: {where}: {what}.")
        self.row = row.number
        self.where = where
        self.what = what


class Problems:
    """What is wrong with a file, gathered so that a person can mend several things at once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._found: list[tuple[int, str]] = []

    def add(self, row: int, where: str, what: str) -> None:
        """Note one problem of a row.

        Raises:
            InputError: there are so many that reading on says nothing new.
        """
        self._found.append((row, f"{where}: {what}"))
        if len(self._found) >= ENOUGH:
            self.raise_any()

    def raise_any(self) -> None:
        """End the reading if anything is wrong.

        Raises:
            InputError: the first problems by their rows, and how many there are beside them.
        """
        if self._found:
            shown = "; ".join(text for _, text in sorted(self._found)[:SHOWN])
            more = len(self._found) - SHOWN
            beside = f"; and {more:,}{' or more' if len(self._found) >= ENOUGH else ''} beside" if more > 0 else ""
            raise InputError(f"{self._name}: {shown}{beside}.")


class Tally:
    """What was left out or changed while a file was read, counted by kind."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def add(self, noun: str, what: str, first: str = "") -> None:
        """Count one `noun` (singular) of which `what` is true; `first` says where the first one stands."""
        self._counts[noun, what] += 1
        if first:
            self._first.setdefault((noun, what), first)

    def lines(self) -> tuple[str, ...]:
        """A line for each kind, in the order in which they were met."""
        return tuple(f"{plural(count, kind[0])} {kind[1]}{self._where(kind)}" for kind, count in self._counts.items())

    def _where(self, kind: tuple[str, str]) -> str:
        return f" (the first: {self._first[kind]})" if kind in self._first else ""

    def add_all(self, other: "Tally") -> None:
        """Count what another one counted too, as behind it."""
        self._counts.update(other._counts)
        self._first = {**other._first, **self._first}


@dataclass(frozen=True)
class Table:
    """What one file holds."""

    name: str
    columns: tuple[str, ...]
    rows: Iterable[Row]
    header_row: int | None
    """The line that names the columns, where the file has one."""
    notes: tuple[str, ...] = ()
    """How the file was read, where there is something to say: encoding, sheet, parts."""
    problems: Problems = field(default_factory=lambda: Problems("the file"))
    """Filled while the rows are gone through."""
    tally: Tally = field(default_factory=Tally)
    """Filled while the rows are gone through."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """For our names that no column of the file is read for as it is: what they were made from."""
    topic_column: str | None = None
    """Whose text names the topic, where it is not the question's."""
    multiple_choice: bool = False
    """Whether each answer is one of the options in its question."""


def check_count(name: str, count: int) -> None:
    """Refuse a file of more rows than are read.

    Raises:
        InputError: `count` is above `ROW_LIMIT`.
    """
    if count > ROW_LIMIT:
        raise InputError(f"{name} holds more than {ROW_LIMIT:,} rows; split it, it was not read.")


def no_rows(name: str) -> InputError:
    """The error that a file or folder holds nothing below the names of its columns, or nothing at all."""
    return InputError(f"{name} holds no rows; write one for each question with its answer.")


def check_text(name: str, size: int) -> None:
    """Refuse a data set of more text than is read: in some files a text stands once for a million rows.

    Raises:
        InputError: `size`, in characters, is above `FILE_LIMIT`.
    """
    if size > FILE_LIMIT:
        raise InputError(f"{name} holds more than {FILE_LIMIT:,} characters of text; split it, it was not read.")


def check_unpacked(name: str, size: int) -> None:
    """Refuse a file that unpacks to more than is read.

    Raises:
        InputError: `size` is above `FILE_LIMIT`.
    """
    if size > FILE_LIMIT:
        raise InputError(f"{name} unpacks to more than {FILE_LIMIT // 2**20} MiB; split it, it was not read.")
