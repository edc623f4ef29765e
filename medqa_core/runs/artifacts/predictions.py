"""`predictions.parquet`: one row per test question, both models on the same row."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pandas as pd
import pyarrow as pa

from medqa_core.runs.artifacts.parquet import read_rows, table_of, write_rows
from medqa_core.runs.schema.evaluation import ROUGE, VARIANTS, ControlName, SpecificKind

PREDICTIONS = "predictions.parquet"
READ_LIMIT = 256 * 2**20
ROW_LIMIT = 200_000

CONTROLS: tuple[ControlName, ...] = ("template_answer", "nearest_answer", "top_passage")
"""Controls whose scores stand here, the last one where both models read passages.

Their answers are training texts, which do not belong in a run."""


def score_fields(prefix: str = "") -> Iterator[pa.Field]:
    """The scores of a column of answers; null or NaN where one is not defined for a question."""
    for name in (*ROUGE, "token_f1"):
        yield pa.field(f"{prefix}{name}", pa.float64())
    yield from content_fields(prefix)


def content_fields(prefix: str = "") -> Iterator[pa.Field]:
    """Those outside of templates, and the words they are of."""
    for name in ("rougeL_outside_templates", "token_f1_outside_templates", "content_f1", "specifics"):
        yield pa.field(f"{prefix}{name}", pa.float64())
    yield pa.field(f"{prefix}words", pa.int64())
    yield pa.field(f"{prefix}template_words", pa.int64())


def specifics_fields(prefix: str = "", counts: tuple[str, ...] = ("stated", "right")) -> Iterator[pa.Field]:
    """How many specifics of each kind an answer states, and how many of them stand in a reference."""
    for kind in get_args(SpecificKind):
        for what in counts:
            yield pa.field(f"{prefix}{kind}_{what}", pa.int64())


def reading_fields(prefix: str = "") -> Iterator[pa.Field]:
    """Of answers given after reading passages; null without."""
    yield pa.field(f"{prefix}supported", pa.float64())  # share of the answer's content words that its passages hold
    yield pa.field(f"{prefix}cited", pa.int64())  # passages whose numbers the answer named


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
                *content_fields(f"{variant}_"),
                *specifics_fields(f"{variant}_", ("stated", "right", "in_passages")),
                *reading_fields(f"{variant}_"),
                # thousandths of a nat for each reference token, 65,535 at most; null where one is not finite
                (f"{variant}_nats", pa.list_(pa.uint16())),
                (f"{variant}_loss_outside_templates", pa.float64()),  # of them, nats per token outside templates
                (f"{variant}_other_loss", pa.float64()),  # nats per token under a question about another topic
                (f"{variant}_topic_information", pa.float64()),  # that minus the loss of the same tokens under its own
            )
        ],
        *[
            field
            for control in CONTROLS
            for field in (
                *score_fields(f"{control}_"),
                (f"{control}_id", pa.string()),
            )  # the training answer it is from
        ],
        ("references", pa.int64()),  # reference answers that the question has; scores are the best of them
        ("reference_tokens", pa.int64()),  # tokens the loss is averaged over
        ("reference_bytes", pa.int64()),  # UTF-8 bytes of the text those tokens spell
        ("reference_all_bytes", pa.int64()),  # UTF-8 bytes of the whole reference
        ("reference_words", pa.int64()),  # of the whole reference
        ("reference_template_words", pa.int64()),
        ("reference_token_ends", pa.list_(pa.int32())),  # where each token of the loss ends, in characters
        ("outside_tokens", pa.int64()),  # tokens of the loss that are outside templates
        ("other_question", pa.string()),  # id of the test question about another topic
        ("other_tokens", pa.int64()),  # reference tokens scored under both questions
        ("passages", pa.list_(pa.string())),  # ids of the questions whose answers both models read, best first
        ("train_overlap", pa.float64()),  # share of the reference's 13-grams found in the training answers
    ]
)


def write_predictions(run_folder: Path, rows: pd.DataFrame) -> None:
    """Replace the run's predictions; `rows` has the columns of SCHEMA."""
    write_rows(run_folder / PREDICTIONS, table_of(rows, SCHEMA))


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
