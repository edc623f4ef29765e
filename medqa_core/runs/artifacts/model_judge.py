"""`judge.json` and `judge.parquet`: whose answers a judge model prefers on content, each pair shown in both orders."""

from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa
from pydantic import Field

from medqa_core.runs.artifacts.parquet import read_rows, write_rows
from medqa_core.runs.artifacts.predictions import READ_LIMIT, ROW_LIMIT
from medqa_core.runs.reading import Reading, read_optional, read_optional_model
from medqa_core.runs.schema.evaluation import Metric
from medqa_core.runs.schema.record import Line, Record

JUDGE = "judge.json"
JUDGE_ROWS = "judge.parquet"
CHOICES = ("base", "fine_tuned", "tie")
SCHEMA = pa.schema(
    [
        ("question_id", pa.string()),
        ("group_id", pa.string()),
        ("drawn", pa.bool_()),  # whether it is part of the sample; false: judged because people voted on it
        ("base_first", pa.string()),  # one of CHOICES, with the base model's answer shown first; null: no usable reply
        ("fine_tuned_first", pa.string()),  # the same with the fine-tuned model's answer shown first
    ]
)


class ModelJudge(Record):
    """The whole of `judge.json`."""

    schema_version: Literal[1] = 1
    model: Line
    """The judge's name, as it was asked for."""
    served: tuple[Line, ...] = ()
    """What the server called the model that replied; empty for a model of this machine."""
    where: Literal["address", "folder"]
    """Whether the answers were sent to an address, or to a model loaded here."""
    prompt_sha256: Line
    """Of what the judge is told to do."""
    questions: int = Field(ge=0)
    """Test questions of the sample."""
    of: int = Field(ge=0)
    """Test questions of the run."""
    requests: int = Field(ge=0)
    unusable: int = Field(ge=0)
    """Requests without a usable reply."""
    base_sha256: Line | None = None
    """Of the weights that answered, as `fine_tuned_sha256`."""
    fine_tuned_sha256: Line | None = None
    preference: Metric
    """Share of the sample's questions won by each model, a tie and a change of mind counting half for both."""
    seconds: float = Field(ge=0)


def write_judge_rows(run_folder: Path, rows: pd.DataFrame) -> None:
    """Replace the run's judgements; `rows` has the columns of SCHEMA."""
    table = pa.Table.from_pandas(rows[SCHEMA.names], schema=SCHEMA, preserve_index=False)
    write_rows(run_folder / JUDGE_ROWS, table)


def read_judge(run_folder: Path) -> Reading[ModelJudge | None]:
    """What the judge model preferred in all; None where it is missing or cannot be read."""
    return read_optional_model(run_folder, JUDGE, ModelJudge)


def read_judge_rows(run_folder: Path) -> Reading[pd.DataFrame | None]:
    """One row a judged question; None where the file is missing or cannot be read. A choice that is none is null."""
    return read_optional(run_folder, JUDGE_ROWS, _rows)


def _rows(run_folder: Path) -> pd.DataFrame:
    rows = read_rows(
        run_folder,
        JUDGE_ROWS,
        SCHEMA,
        required=("question_id", "base_first", "fine_tuned_first"),
        size=READ_LIMIT,
        rows=ROW_LIMIT,
        lacking="no judge model was asked.",
    )
    for column in ("base_first", "fine_tuned_first"):
        rows[column] = rows[column].where(rows[column].isin(CHOICES))
    return rows
