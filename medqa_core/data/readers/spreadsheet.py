"""Excel workbooks: the first sheet that holds rows; what a formula last gave, never the formula."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import Any

from medqa_core.data.tables import Problems, Row, Table, check_count, check_unpacked, no_rows
from medqa_core.foundation.errors import InputError, shorten

_TORN = (
    zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, SyntaxError, LookupError, ValueError, TypeError,
    AttributeError, ArithmeticError, RuntimeError,
)  # fmt: skip
"""What openpyxl lets through of a file that is not as Excel writes it; XML's errors are SyntaxErrors."""


def read(path: Path) -> Table:
    """The table of an `.xlsx`; its first row that is not empty names the columns.

    Raises:
        InputError: it is torn, no workbook, too large, or without rows.
    """
    # Here and not above: it is needed for workbooks alone.
    import openpyxl

    try:
        with zipfile.ZipFile(path) as archive:
            check_unpacked(path.name, sum(entry.file_size for entry in archive.infolist()))
        # In memory: rows are read later, and openpyxl leaves a file open where it fails.
        book = openpyxl.load_workbook(BytesIO(path.read_bytes()), read_only=True, data_only=True)
        for sheet in book.worksheets:
            records = _records(path.name, sheet)
            first = next(records, None)
            if first is not None:
                return _table(path.name, book, sheet.title, first, records)
    except _TORN as error:
        raise InputError(f"{path.name} is torn, or not an Excel workbook; save it again as .xlsx or CSV.") from error
    raise no_rows(path.name)


def _table(
    name: str, book: Any, title: str, first: tuple[int, list[Any]], records: Iterator[tuple[int, list[Any]]]
) -> Table:
    number, header = first
    columns = tuple(_text(cell).strip() for cell in header)
    while columns and not columns[-1]:
        columns = columns[:-1]
    others = [sheet for sheet in book.sheetnames if sheet != title]
    aside = f"; left aside: {shorten(', '.join(others), 200)}" if others else ""
    return Table(
        name,
        columns,
        (Row(name, n, _cells(columns, cells)) for n, cells in records),
        number,
        (f"sheet {shorten(title, 60)!r} read{aside}",),
        Problems(name),
    )


def _cells(columns: tuple[str, ...], cells: list[Any]) -> dict[str, str | None]:
    """A row by its columns. A file keeps a row up to its last cell that was ever filled: those behind it are empty."""
    return dict(zip_longest(columns, map(_value, cells[: len(columns)])))


def _records(name: str, sheet: Any) -> Iterator[tuple[int, list[Any]]]:
    """Each row that is not blank, with its number."""
    try:
        sheet.reset_dimensions()  # what the file says of them may be less, or absurdly more, than there is
        for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
            if any(cell is not None and str(cell).strip() for cell in cells):
                check_count(name, number)
                yield number, list(cells)
    except _TORN as error:
        raise InputError(f"{name} is torn, or not an Excel workbook; save it again as .xlsx or CSV.") from error


def _value(cell: Any) -> str | None:
    return None if cell is None else _text(cell)


def _text(cell: Any) -> str:
    """A cell as it reads in the sheet: Excel decides by itself what it keeps as a number or a date."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime) and cell.time() == datetime.min.time():
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, date | datetime) else str(cell)
