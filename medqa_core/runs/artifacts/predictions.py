"""`predictions.parquet`: one row per test question, both models on the same row."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from medqa_core.runs.artifacts.parquet import read_rows, write_rows

PREDICTIONS = "predictions.parquet"
READ_LIMIT = 256 * 2**20
ROW_LIMIT = 200_000

VARIANTS = ("base", "fine_tuned")
SCHEMA = pa.schema(
    [
        ("question_id", pa.string()),
        ("group_id", pa.string()),
        ("question_type", pa.string()),
        ("source", pa.string()),
        *[
            field
            for variant in VARIANTS
            for field in (
                (f"{variant}_answer", pa.string()),
                (f"{variant}_loss", pa.float64()),  # mean negative log-likelihood per reference token, nats
                (f"{variant}_rouge1", pa.float64()),
                (f"{variant}_rouge2", pa.float64()),
                (f"{variant}_rougeL", pa.float64()),
                (f"{variant}_token_f1", pa.float64()),
                (f"{variant}_answer_tokens", pa.int64()),  # tokens generated
                (f"{variant}_repetition", pa.float64()),  # share of the answer's 4-word runs that it had already used
                (
                    f"{variant}_copied_share",
                    pa.float64(),
                ),  # share of the answer's words copied from one training answer
                (f"{variant}_nearest", pa.string()),  # id of the training question whose answer that is
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
    write_rows(run_folder / PREDICTIONS, table)


def read_predictions(run_folder: Path) -> pd.DataFrame:
    """The run's predictions with the columns of SCHEMA; a column that the file lacks is all null.

    Raises:
        UnreadableFile: missing, too large, or not a Parquet file with a `question_id`.
        OutsideStore: a link that leaves the run folder.
    """
    return read_rows(
        run_folder,
        PREDICTIONS,
        SCHEMA,
        required=("question_id",),
        size=READ_LIMIT,
        rows=ROW_LIMIT,
        lacking="this run has no answers to show.",
    )
