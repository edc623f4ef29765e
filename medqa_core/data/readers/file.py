"""Any file that holds a table, by the end of its name: which reader it gets, and what no file may be."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

from medqa_core.data import tables
from medqa_core.data.readers import columnar, json_text, separated, spreadsheet
from medqa_core.data.readers.encoding import decode
from medqa_core.data.tables import Table
from medqa_core.foundation import files
from medqa_core.foundation.errors import InputError

_TEXTS: dict[str, Callable[[str, str, tuple[str, ...]], Table]] = {
    ".csv": separated.comma,
    ".tsv": separated.tab,
    ".jsonl": json_text.read,
    ".json": json_text.read,
}
_PACKED = ".gz"
SUFFIXES = (*_TEXTS, *(suffix + _PACKED for suffix in _TEXTS), ".xlsx", ".parquet", ".arrow")
"""The ends of the names of the files that are read."""
_INSTEAD = {
    ".xls": "save it as .xlsx or CSV", ".xlsm": "save it as .xlsx or CSV", ".ods": "save it as .xlsx or CSV",
    ".numbers": "export it as .xlsx or CSV", ".txt": "name it .csv if its first line names columns",
    ".md": "make it a table first", ".pdf": "make it a table first", ".docx": "make it a table first",
    ".pkl": "pickles are never opened; save it as Parquet", ".pickle": "pickles are never opened; save it as Parquet",
    ".gz": "name it .csv.gz, .tsv.gz, .json.gz or .jsonl.gz", ".zip": "unpack it first", ".tar": "unpack it first",
    ".zst": "unpack it first", ".bz2": "unpack it first", ".xz": "unpack it first",
}  # fmt: skip
"""What to do with other files that people keep data in."""


def suffix_of(name: str) -> str | None:
    """The end of a file's name that says how it is read; None where it is not."""
    lower = name.lower()
    return max((suffix for suffix in SUFFIXES if lower.endswith(suffix)), key=len, default=None)


def read(path: Path) -> Table:
    """The table in `path`; of CSV, Parquet and Excel, rows are read as they are asked for.

    Raises:
        InputError: the file is missing, too large, or not what its suffix says; the message gives the row, and the
            column where there is one. Rows raise the same while they are gone through.
    """
    suffix = suffix_of(path.name)
    if suffix is None:
        instead = _INSTEAD.get(path.suffix.lower())
        raise InputError(
            f"{path.name}: a data file's name ends in one of {', '.join(SUFFIXES)}{f'; {instead}' if instead else ''}."
        )
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise InputError(f"{path.name} is not a file.")
        if size > tables.FILE_LIMIT:
            raise InputError(f"{path.name} is larger than {tables.FILE_LIMIT // 2**20} MiB; split it, it was not read.")
        if files.is_lfs_pointer(path):
            raise InputError(f"{path.name} {files.LFS_POINTER}.")
        if suffix == ".parquet":
            return columnar.parquet(path)
        if suffix == ".arrow":
            return columnar.arrow([path], path.name)
        if suffix == ".xlsx":
            return spreadsheet.read(path)
        content = _unpacked(path) if suffix.endswith(_PACKED) else path.read_bytes()
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    decoded = decode(path.name, content)
    return _TEXTS[suffix.removesuffix(_PACKED)](path.name, decoded.text, (decoded.note,) if decoded.note else ())


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            content = file.read(tables.FILE_LIMIT + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path.name} is torn, or not a gzip file; fetch or pack it again.") from error
    tables.check_unpacked(path.name, len(content))
    return content
