"""Tables as people keep them: CSV, TSV, JSON, JSON lines and Parquet, read row by row with each row's place.

A row's number is what a person counts: the line of a text file on which the row starts (a CSV's header is line 1),
the place in a list or in a Parquet file otherwise, from 1.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medqa_core.foundation.errors import InputError, shorten
from medqa_core.foundation.files import loads

SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
FILE_LIMIT = 512 * 2**20
"""Largest file that is read, in bytes; of a Parquet file, also what it says to unpack to."""
ROW_LIMIT = 1_000_000
TEXT_LIMIT = 100_000
"""Longest text of one cell, in characters: some fifty pages."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells by column name, and where it stands."""

    file: str
    number: int
    values: Mapping[str, Any]

    def refuse(self, column: str, what: str) -> InputError:
        """The error that a cell of this row does not fit."""
        return InputError(f"{self.file}: row {self.number:,}, column {shorten(column)!r}: {what}.")


@dataclass(frozen=True)
class Table:
    """What one file holds."""

    name: str
    columns: tuple[str, ...]
    rows: Iterable[Row]
    header_row: int | None
    """The line that names the columns, where the file has one."""


def read(path: Path) -> Table:
    """The table in `path`; of Parquet, rows are read as they are asked for.

    Raises:
        InputError: the file is missing, too large, or not what its suffix says; the message gives the row, and the
            column where there is one. Rows raise the same while they are gone through.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path.name}: a data file's name ends in one of {', '.join(SUFFIXES)}.")
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise InputError(f"{path.name} is not a file.")
        if size > FILE_LIMIT:
            raise InputError(f"{path.name} is larger than {FILE_LIMIT // 2**20} MiB; split it, it was not read.")
        if suffix == ".parquet":
            return _parquet(path)
        # What is not UTF-8 becomes half surrogates, so that the cell that holds it can be named.
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    if suffix in (".csv", ".tsv"):
        return _separated(path.name, text, suffix)
    listed = suffix == ".json" and text.lstrip().startswith("[")
    return _keyed(path.name, list(_listed(path.name, text) if listed else _lines(path.name, text)))


def _separated(name: str, text: str, suffix: str) -> Table:
    head = text.partition("\n")[0]
    delimiter = "\t" if suffix == ".tsv" else ";" if "," not in head and ";" in head else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records = _records(name, reader)
    number, header = next(records, (1, []))
    if not any(header):
        raise InputError(f"{name}: row 1: there are no column names; the file is empty or starts with an empty row.")
    columns = tuple(column.strip() for column in header)

    def rows() -> Iterator[Row]:
        for number, fields in records:
            if len(fields) > len(columns):
                raise InputError(
                    f"{name}: row {number:,}, column {len(columns) + 1}: {len(fields)} fields where the header has "
                    f"{len(columns)}; a text that holds {delimiter!r} needs quotation marks."
                )
            row = Row(name, number, dict(zip(columns, fields, strict=False)))
            if len(fields) < len(columns):
                raise row.refuse(columns[len(fields)], f"missing, the row ends after {len(fields)} of {len(columns)}")
            yield row

    return Table(name, columns, rows(), number)


def _records(name: str, reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank, with the line it starts on."""
    count = 0
    while True:
        start = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise InputError(f"{name}: row {start:,}: not a valid row ({error}).") from error
        if fields is None:
            return
        if any(field.strip() for field in fields):
            count += 1
            _check_count(name, count)
            yield start, fields


def _lines(name: str, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _object(name, number, _json(name, line, number))


def _listed(name: str, text: str) -> Iterator[Row]:
    for number, item in enumerate(_json(name, text, None), 1):
        yield _object(name, number, item)


def _json(name: str, text: str, number: int | None) -> Any:
    try:
        return loads(text)
    except json.JSONDecodeError as error:
        place = f"row {number or error.lineno:,}, column {error.colno:,}"
        raise InputError(f"{name}: {place}: torn, or not valid JSON ({error.msg}).") from error
    except ValueError as error:
        place = f": row {number:,}" if number else ""
        raise InputError(f"{name}{place}: not valid JSON ({error}).") from error


def _object(name: str, number: int, value: Any) -> Row:
    _check_count(name, number)
    if not isinstance(value, dict):
        raise InputError(f"{name}: row {number:,}: not a JSON object with the columns' names as its keys.")
    return Row(name, number, value)


def _keyed(name: str, rows: list[Row]) -> Table:
    columns = tuple(dict.fromkeys(key for row in rows for key in row.values))
    if not columns:
        raise InputError(f"{name} holds no rows.")
    return Table(name, columns, rows, None)


def _parquet(path: Path) -> Table:
    # Here and not above: the starter set needs no pyarrow.
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        meta = file.metadata
        unpacked = sum(meta.row_group(n).total_byte_size for n in range(meta.num_row_groups))
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path.name} is torn, or not a Parquet file.") from error
    _check_count(path.name, meta.num_rows)
    if unpacked > FILE_LIMIT:
        raise InputError(f"{path.name} unpacks to more than {FILE_LIMIT // 2**20} MiB; it was not read.")

    def rows() -> Iterator[Row]:
        number = 0
        try:
            for batch in file.iter_batches(batch_size=4096):
                names = batch.schema.names
                cells = [_cells(path.name, number, name, batch.column(name)) for name in names]
                for values in zip(*cells, strict=True):
                    number += 1
                    yield Row(path.name, number, dict(zip(names, values, strict=True)))
        except (pyarrow.ArrowException, OSError) as error:
            raise InputError(f"{path.name}: torn after row {number:,}; fetch or write it again.") from error

    return Table(path.name, tuple(file.schema_arrow.names), rows(), None)


def _cells(name: str, before: int, column: str, cells: Any) -> Sequence[Any]:
    try:
        return list(cells.to_pylist())
    except UnicodeDecodeError:
        for place, cell in enumerate(cells, 1):
            try:
                cell.as_py()
            except UnicodeDecodeError as error:
                raise Row(name, before + place, {}).refuse(column, "not UTF-8 text") from error
        raise


def _check_count(name: str, count: int) -> None:
    if count > ROW_LIMIT:
        raise InputError(f"{name} holds more than {ROW_LIMIT:,} rows; split it, it was not read.")
