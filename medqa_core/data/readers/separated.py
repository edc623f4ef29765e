"""CSV and TSV: the delimiter found, rows with their lines, a row that does not fit noted and passed over."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from medqa_core.data.columns import recognised
from medqa_core.data.tables import FILE_LIMIT, Problems, Row, Table, check_count
from medqa_core.foundation.errors import InputError

_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
_SEP = "sep="
"""Excel's own line before the header, which names the delimiter."""
_BLANK = re.compile(r"(?:[^\S\n]*\n)+")
"""Lines before the header that hold nothing."""


def comma(name: str, text: str, notes: tuple[str, ...]) -> Table:
    """The table of a `.csv`, whatever stands between its cells.

    Raises:
        InputError: no column names, or a row that is not valid; rows raise it while they are gone through.
    """
    return _read(name, text, notes, ",")


def tab(name: str, text: str, notes: tuple[str, ...]) -> Table:
    """The table of a `.tsv`; as `comma`."""
    return _read(name, text, notes, "\t")


def _read(name: str, text: str, notes: tuple[str, ...], usual: str) -> Table:
    stated, skipped = _stated(text)
    if skipped:
        text = text.partition("\n")[2]
    start = _BLANK.match(text)
    head = text[start.end() if start else 0 :].partition("\n")[0].partition("\r")[0]
    delimiter = stated or _delimiter(head, usual)
    if stated or delimiter != usual:
        notes = (*notes, f"cells are separated by {_DELIMITERS.get(delimiter, repr(delimiter))}")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records = _records(name, reader, skipped)
    number, header = next(records, (1, []))
    if not any(header):
        raise InputError(
            f"{name}: row 1: there are no column names; the file is empty or starts with an empty row. Name the "
            "columns in its first line, such as question,answer."
        )
    columns = tuple(column.strip() for column in header)
    problems = Problems(name)
    return Table(name, columns, _rows(name, records, columns, delimiter, problems), number, notes, problems)


def _rows(
    name: str, records: Iterator[tuple[int, list[str]]], columns: tuple[str, ...], delimiter: str, problems: Problems
) -> Iterator[Row]:
    for number, fields in records:
        row = Row(name, number, dict(zip(columns, fields, strict=False)))
        if len(fields) > len(columns):
            problems.add(
                number,
                f"row {number:,}, column {len(columns) + 1}",
                f"{len(fields)} fields where the header has {len(columns)}; a text that holds {delimiter!r} needs "
                "quotation marks",
            )
        elif len(fields) < len(columns):
            ends = f"the row ends after {len(fields)} of {len(columns)}"
            problems.add(number, row.place(columns[len(fields)]), f"missing, {ends}; give it a cell or delete the row")
        else:
            yield row


def _stated(text: str) -> tuple[str | None, int]:
    """The delimiter that a `sep=` line names, and how many lines it takes."""
    first = text.partition("\n")[0].strip("\r").strip('"')
    if first.lower().startswith(_SEP) and len(first) <= len(_SEP) + 1:
        return first[len(_SEP) :] or "\t", 1
    return None, 0


def _delimiter(head: str, usual: str) -> str:
    """What separates the header: with it, most of our columns are found; of equals, what is usual and there."""

    def rank(delimiter: str) -> tuple[int, bool, bool]:
        try:
            cells = next(csv.reader([head], delimiter=delimiter), [])
        except csv.Error:  # reading the file says what is wrong
            cells = []
        return recognised(cells), delimiter in head, delimiter == usual

    order = [usual, *(other for other in _DELIMITERS if other != usual)]
    return max(order, key=lambda one: (*rank(one), -order.index(one)))


def _records(name: str, reader: Any, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank, with the line it starts on."""
    count = 0
    while True:
        start = reader.line_num + 1 + skipped
        # A cell longer than TEXT_LIMIT is left out with its row; the module's own limit, which all share, would end the
        # whole file there.
        usual = csv.field_size_limit(FILE_LIMIT)
        try:
            fields = next(reader, None)
        except csv.Error as error:
            mark = "; a quotation mark may be opened and not closed" if "end of data" in str(error) else ""
            raise InputError(f"{name}: row {start:,}: not a valid row ({error}){mark}.") from error
        finally:
            csv.field_size_limit(usual)
        if fields is None:
            return
        if any(field.strip() for field in fields):
            count += 1
            check_count(name, count)
            yield start, fields
