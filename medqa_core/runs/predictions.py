"""`predictions.parquet`: one row a test question, both models on the same row."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from medqa_core.foundation.errors import UnreadableFile
from medqa_core.foundation.files import write_bytes
from medqa_core.foundation.paths import resolve_inside

READ_LIMIT = 256 * 2**20
ROW_LIMIT = 200_000

SIDES = ("base", "fine_tuned")
SCHEMA = pa.schema(
    [
        ("question_id", pa.string()),
        ("group_id", pa.string()),
        ("question_type", pa.string()),
        ("source", pa.string()),
        *[
            field
            for side in SIDES
            for field in (
                (f"{side}_answer", pa.string()),
                (f"{side}_loss", pa.float64()),  # mean negative log-likelihood a reference token, nats
                (f"{side}_rouge1", pa.float64()),
                (f"{side}_rouge2", pa.float64()),
                (f"{side}_rougeL", pa.float64()),
                (f"{side}_token_f1", pa.float64()),
                (f"{side}_answer_tokens", pa.int64()),  # tokens generated
                (f"{side}_repetition", pa.float64()),  # share of the answer's 4-word runs that it had already used
                (f"{side}_copied_share", pa.float64()),  # share of the answer's words copied from one training answer
                (f"{side}_nearest", pa.string()),  # id of the training question whose answer that is
            )
        ],
        ("references", pa.int64()),  # reference answers that the question has; scores are the best of them
        ("reference_tokens", pa.int64()),  # tokens the loss is averaged over
        ("reference_bytes", pa.int64()),  # UTF-8 bytes of the text those tokens spell
        ("train_overlap", pa.float64()),  # share of the reference's 13-grams found in the training answers
    ]
)


def write_predictions(run_folder: Path, rows: pd.DataFrame) -> None:
    """Replace the run's predictions; `rows` has the columns of SCHEMA."""
    table = pa.Table.from_pandas(rows[SCHEMA.names], schema=SCHEMA, preserve_index=False)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_bytes(run_folder / "predictions.parquet", sink.getvalue().to_pybytes())


def read_predictions(run_folder: Path) -> pd.DataFrame:
    """The run's predictions with the columns of SCHEMA; a column that the file lacks is all null.

    Raises:
        UnreadableFile: missing, too large, or not a Parquet file with a `question_id`.
        OutsideStore: a link that leaves the run folder.
    """
    path = resolve_inside(run_folder, "predictions.parquet")
    if not path.is_file():
        raise UnreadableFile("predictions.parquet is missing: this run has no answers to show.")
    if path.stat().st_size > READ_LIMIT:
        raise UnreadableFile(f"predictions.parquet is larger than {READ_LIMIT // 2**20} MiB; it was not read.")
    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > ROW_LIMIT:  # a few bytes can claim to unpack to all of memory
                raise UnreadableFile(f"predictions.parquet has more than {ROW_LIMIT} rows; it was not read.")
            names = [name for name in SCHEMA.names if name in file.schema_arrow.names]
            table = file.read(columns=names)
        columns = [
            table[field.name].cast(field.type) if field.name in names else pa.nulls(table.num_rows, field.type)
            for field in SCHEMA
        ]
        rows = pa.Table.from_arrays(columns, schema=SCHEMA)
        rows.validate(full=True)  # text that is not UTF-8 would raise only when it is shown
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise UnreadableFile("predictions.parquet is damaged or has columns of another kind.") from error
    if "question_id" not in names:
        raise UnreadableFile("predictions.parquet has no column question_id.")
    frame: pd.DataFrame = rows.to_pandas()
    return frame
