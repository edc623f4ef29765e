"""`with_sources.parquet`: one row per test question, the answer that was given after reading passages."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from medqa_core.runs.artifacts.names import forget_older, stored_name
from medqa_core.runs.artifacts.parquet import read_rows, table_of, write_rows
from medqa_core.runs.artifacts.predictions import (
    READ_LIMIT,
    ROW_LIMIT,
    content_fields,
    reading_fields,
    score_fields,
    specifics_fields,
)

WITH_SOURCES = "with_sources.parquet"
SCHEMA = pa.schema(
    [
        ("question_id", pa.string()),
        ("group_id", pa.string()),
        ("answer", pa.string()),
        ("rouge1", pa.float64()),
        ("rouge2", pa.float64()),
        ("rougeL", pa.float64()),
        ("token_f1", pa.float64()),
        ("tokens", pa.int64()),  # tokens generated
        ("repetition", pa.float64()),  # share of the answer's 4-word runs that it had already used
        ("copied_share", pa.float64()),  # share of the answer's words copied from one training answer
        ("nearest", pa.string()),  # id of the training question whose answer that is
        *content_fields(),
        *specifics_fields(counts=("stated", "right", "in_passages")),
        *reading_fields(),
        *score_fields("top_passage_"),  # the same of the first passage alone
        ("passages", pa.list_(pa.string())),  # ids of the training questions whose answers were read, best first
    ]
)


def write_with_sources(run_folder: Path, rows: pd.DataFrame) -> None:
    """Replace the run's answers with sources; `rows` has the columns of SCHEMA."""
    write_rows(run_folder / WITH_SOURCES, table_of(rows, SCHEMA))
    forget_older(run_folder / WITH_SOURCES)


def read_with_sources(run_folder: Path) -> pd.DataFrame:
    """The run's answers with sources in the columns of SCHEMA; a column that the file lacks is all null.

    Raises:
        UnreadableFile: missing, too large, or not a Parquet file with a `question_id`.
        OutsideStore: a link that leaves the run folder.
    """
    return read_rows(
        run_folder,
        stored_name(run_folder, WITH_SOURCES),
        SCHEMA,
        required=("question_id",),
        size=READ_LIMIT,
        rows=ROW_LIMIT,
        lacking="this run has no answers with sources to show.",
    )
