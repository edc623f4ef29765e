"""Parquet files, and Arrow files as `datasets` saves them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from medqa_core.data.tables import Problems, Row, Table, check_count, check_unpacked, no_rows
from medqa_core.foundation import files
from medqa_core.foundation.errors import InputError, UnreadableFile, shorten
from medqa_core.foundation.format import plural

_STATE, _PARTS = "state.json", "dataset_dict.json"


def parquet(path: Path) -> Table:
    """The table of a Parquet file; its rows are read as they are asked for.

    Raises:
        InputError: it is torn, or no Parquet file, or too large.
    """
    # Here and not above: the starter set needs no pyarrow.
    import pyarrow
    from pyarrow import parquet as pq

    try:
        file = pq.ParquetFile(path)
        meta = file.metadata
        unpacked = sum(meta.row_group(n).total_byte_size for n in range(meta.num_row_groups))
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path.name} is torn, or not a Parquet file; fetch or write it again.") from error
    check_count(path.name, meta.num_rows)
    check_unpacked(path.name, unpacked)
    columns = tuple(file.schema_arrow.names)
    rows = _rows(path.name, file.iter_batches(batch_size=4096))
    return Table(path.name, columns, rows, None, problems=Problems(path.name))


def arrow(paths: Sequence[Path], name: str, notes: tuple[str, ...] = ()) -> Table:
    """The table of Arrow files, one after the other: streams, as `datasets` writes them, or files.

    Raises:
        InputError: one is torn, or no Arrow file, or they are too large.
    """
    check_unpacked(name, sum(path.stat().st_size for path in paths))
    columns, _ = _opened(paths[0])
    rows = _rows(name, (_checked(batch) for path in paths for batch in _opened(path)[1]))
    return Table(name, columns, rows, None, notes, Problems(name))


def _checked(batch: Any) -> Any:
    """A batch whose offsets and lengths stay within it: an Arrow file is memory as it was, and nobody checked it."""
    batch.validate(full=True)
    return batch


def _opened(path: Path) -> tuple[tuple[str, ...], Iterator[Any]]:
    """The columns of an Arrow file, and its batches."""
    import pyarrow

    try:
        source = pyarrow.OSFile(str(path))  # no memory map: a file that says more than it holds would end the process
        try:
            reader = pyarrow.ipc.open_stream(source)
        except pyarrow.ArrowInvalid:
            file = pyarrow.ipc.open_file(source)
            return tuple(file.schema.names), (file.get_batch(n) for n in range(file.num_record_batches))
        return tuple(reader.schema.names), iter(reader)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is torn, or not an Arrow file; save the data set again.") from error


def is_saved(folder: Path) -> bool:
    """Whether a folder is one that `datasets.save_to_disk` wrote."""
    return (folder / _STATE).is_file() or (folder / _PARTS).is_file()


def saved(folder: Path) -> Table:
    """The table of a folder that `datasets.save_to_disk` wrote; of several parts, one after the other.

    Raises:
        InputError: a file is missing or torn, or names a file elsewhere.
    """
    try:
        if (folder / _STATE).is_file():
            return arrow(_data_files(folder), folder.name)
        parts = [folder / _plain(folder, str(part)) for part in files.read_json(folder / _PARTS)["splits"]]
        found = {part.name: _data_files(part) for part in parts}
    except (UnreadableFile, OSError, KeyError, TypeError) as error:
        raise InputError(f"{folder.name}: not as `datasets` saves a data set ({error}); save it again.") from error
    if not found:
        raise InputError(f"{folder.name} holds no part; save the data set again.")
    note = f"{plural(len(found), 'part')} read, one after the other: {shorten(', '.join(found), 200)}"
    return arrow([path for part in found.values() for path in part], folder.name, (note,))


def _data_files(folder: Path) -> list[Path]:
    """The Arrow files that a saved data set names; never one outside its folder."""
    named = files.read_json(folder / _STATE)["_data_files"]
    found = [folder / _plain(folder, str(one["filename"])) for one in named]
    for path in found:
        if not path.is_file():
            raise InputError(f"{folder.name}: {path.name} is missing; save the data set again.")
        if files.is_lfs_pointer(path):
            raise InputError(f"{folder.name}: {path.name} {files.LFS_POINTER}.")
    if not found:
        raise no_rows(folder.name)
    return found


def _plain(folder: Path, name: str) -> str:
    if Path(name).name != name:
        raise InputError(f"{folder.name}: names {shorten(name)!r}, which is not in it; save the data set again.")
    return name


def _rows(name: str, batches: Iterator[Any]) -> Iterator[Row]:
    import pyarrow

    number = 0
    try:
        for batch in batches:
            names = batch.schema.names
            cells = [_cells(name, number, column, batch.column(column)) for column in names]
            for values in zip(*cells, strict=True):
                number += 1
                check_count(name, number)
                yield Row(name, number, dict(zip(names, values, strict=True)))
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{name}: torn after row {number:,}; fetch or write it again.") from error


def _cells(name: str, before: int, column: str, cells: Any) -> Sequence[Any]:
    try:
        return list(cells.to_pylist())
    except UnicodeDecodeError:
        for place, cell in enumerate(cells, 1):
            try:
                cell.as_py()
            except UnicodeDecodeError as error:
                raise Row(name, before + place, {}).refuse(column, "not UTF-8 text; write it again as UTF-8") from error
        raise
