"""`items.parquet`: of an imported evaluation, which questions of which task were answered right, one row an item."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from medqa_core.runs.artifacts.parquet import read_rows, table_of, write_rows
from medqa_core.runs.reading import Reading, read_optional

ITEMS = "items.parquet"
READ_LIMIT = 64 * 2**20
ROW_LIMIT = 500_000
SCHEMA = pa.schema(
    [
        ("task", pa.string()),  # by the harness's name
        ("item", pa.string()),  # the hash of the question, where the source states it, else its place in the task
        ("metric", pa.string()),
        ("value", pa.float64()),  # 0 to 1
    ]
)


def write_items(run_folder: Path, rows: pd.DataFrame) -> None:
    """Write the items of a run that is being made; `rows` has the columns of SCHEMA."""
    write_rows(run_folder / ITEMS, table_of(rows, SCHEMA))


def read_items(run_folder: Path) -> Reading[pd.DataFrame | None]:
    """The run's items; None where it has none or they cannot be read."""

    def read(folder: Path) -> pd.DataFrame:
        lacking = "the source brought no samples."
        return read_rows(
            folder, ITEMS, SCHEMA, required=("task", "item"), size=READ_LIMIT, rows=ROW_LIMIT, lacking=lacking
        )

    return read_optional(run_folder, ITEMS, read)
