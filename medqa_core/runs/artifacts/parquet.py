"""Parquet files of a run folder: one row per question, behind readers that trust nothing."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from medqa_core.foundation.errors import UnreadableFile
from medqa_core.foundation.files import write_bytes
from medqa_core.foundation.paths import resolve_inside


def table_of(rows: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """`rows` as a table of `schema`; a column that they lack is all null, and in one of lists what is no list."""
    found = rows.reindex(columns=schema.names)
    lists = [field.name for field in schema if pa.types.is_list(field.type)]
    kept = {name: pd.Series([_list(value) for value in found[name]], rows.index, dtype=object) for name in lists}
    return pa.Table.from_pandas(found.assign(**kept), schema=schema, preserve_index=False)


def _list(value: object) -> object:
    return value if isinstance(value, list | tuple | np.ndarray) else None


def write_rows(path: Path, table: pa.Table) -> None:
    """Replace the file by `table`."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_bytes(path, sink.getvalue().to_pybytes())


def read_rows(
    run_folder: Path, name: str, schema: pa.Schema, *, required: Collection[str], size: int, rows: int, lacking: str
) -> pd.DataFrame:
    """The file's rows with the columns of `schema`; a column that it lacks is all null.

    Args:
        run_folder: the run's folder.
        name: the file's path below it, with slashes.
        schema: the columns.
        required: columns that must be there.
        size: bytes above which it is not read.
        rows: rows above which it is not read.
        lacking: what its absence means, for the message.

    Raises:
        UnreadableFile: missing, too large, not a Parquet file, or without a required column.
        OutsideStore: a link that leaves the run folder.
    """
    path = resolve_inside(run_folder, *name.split("/"))
    if not path.is_file():
        raise UnreadableFile(f"{path.name} is missing: {lacking}")
    if path.stat().st_size > size:
        raise UnreadableFile(f"{path.name} is larger than {size // 2**20} MiB; it was not read.")
    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > rows:  # a few bytes can claim to unpack to all of memory
                raise UnreadableFile(f"{path.name} has more than {rows} rows; it was not read.")
            stored = set(file.schema_arrow.names)  # made anew at each look
            names = [column for column in schema.names if column in stored]
            table = file.read(columns=names)
        columns = [
            table[field.name].cast(field.type) if field.name in names else pa.nulls(table.num_rows, field.type)
            for field in schema
        ]
        found = pa.Table.from_arrays(columns, schema=schema)
        found.validate(full=True)  # text that is not UTF-8 would raise only when it is shown
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise UnreadableFile(f"{path.name} is damaged or has columns of another kind.") from error
    for column in required:
        if column not in names:
            raise UnreadableFile(f"{path.name} has no column {column}.")
    frame: pd.DataFrame = found.to_pandas()
    return frame
