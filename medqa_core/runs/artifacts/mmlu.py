"""`mmlu_results/`: results.json in lm-evaluation-harness's format, answers.parquet with one row per question."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from medqa_core.foundation.errors import UnreadableFile
from medqa_core.foundation.files import read_json
from medqa_core.foundation.paths import resolve_inside
from medqa_core.runs.artifacts.parquet import read_rows, write_rows
from medqa_core.runs.schema.evaluation import MMLUProtocol

FOLDER = "mmlu_results"
RESULTS = f"{FOLDER}/results.json"
ANSWERS = f"{FOLDER}/answers.parquet"
READ_LIMIT = 16 * 2**20
ROW_LIMIT = 20_000
"""MMLU as a whole has 14,042 test questions."""

CLOZE = "_continuation"
"""How the harness's tasks end that score the choices' own texts."""
LETTERS = ("A", "B", "C", "D")
CHANCE = 0.25
"""Four letters to choose from."""

SUBSETS = (
    "anatomy",
    "clinical_knowledge",
    "college_biology",
    "college_medicine",
    "medical_genetics",
    "professional_medicine",
)

ANSWER_SCHEMA = pa.schema(
    [
        ("subset", pa.string()),
        ("question", pa.int64()),  # its place in the subset's file, from 0
        ("target", pa.int64()),  # index of the right letter
        *[
            field
            for variant in ("base", "fine_tuned")
            for field in (
                (f"{variant}_choice", pa.int64()),  # index of the likeliest letter, the first of equals; null: none
                *((f"{variant}_logprob_{letter.lower()}", pa.float64()) for letter in LETTERS),  # nats; NaN: not finite
            )
        ],
    ]
)


@dataclass(frozen=True)
class SubsetScore:
    """One subset's accuracy; `n` and `stderr` are None where the file does not say."""

    subset: str
    accuracy: float
    stderr: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class MMLUResults:
    """Accuracy by subset for each model the file holds; `base` is None for a peer's single-model file."""

    fine_tuned: list[SubsetScore]
    base: list[SubsetScore] | None = None
    fine_tuned_sha256: str | None = None
    """Of the weights that were asked, where the file says."""
    scoring: Literal["letter", "cloze"] | None = None
    shots: int | None = None
    """Examples in the prompt; None where the file does not say."""

    @property
    def protocol(self) -> MMLUProtocol:
        """How the questions were asked."""
        return MMLUProtocol(scoring=self.scoring, shots=self.shots)

    def pooled(self, scores: list[SubsetScore]) -> float | None:
        """Accuracy over all questions, or None where a subset's size is not known."""
        sizes = [s.n for s in scores]
        if not scores or any(n is None for n in sizes):
            return None
        return sum(s.accuracy * (s.n or 0) for s in scores) / sum(n or 0 for n in sizes)


def read_results(run_folder: Path) -> MMLUResults:
    """The run's MMLU results.

    Raises:
        UnreadableFile: missing, or not what `parse_results` understands.
        OutsideStore: a link that leaves the run folder.
    """
    value = read_json(resolve_inside(run_folder, *RESULTS.split("/")))
    try:
        return parse_results(value)
    except ValueError as error:
        raise UnreadableFile(str(error)) from error


def parse_results(value: Any) -> MMLUResults:
    """An lm-evaluation-harness results object, or ours: `{"base": {…}, "fine_tuned": {…}}` of two of them.

    Raises:
        ValueError: no MMLU subset with an accuracy in it.
    """
    if not isinstance(value, dict):
        raise ValueError("results.json is not an object.")
    if isinstance(value.get("fine_tuned"), dict):
        base, tuned = value.get("base"), value["fine_tuned"]
        return MMLUResults(_scores(tuned), _scores(base) if isinstance(base, dict) else None, **_how(tuned))
    return MMLUResults(_scores(value), **_how(value))


def _how(value: dict[str, Any]) -> dict[str, Any]:
    """How the questions were asked, and of which weights."""
    said: Any = value
    for name in ("config", "model_args", "fine_tuned_sha256"):
        said = said.get(name) if isinstance(said, dict) else None
    cloze = any(str(task).endswith(CLOZE) for task in value["results"])
    examples = value.get("n-shot")
    counts = list(examples.values()) if isinstance(examples, dict) else []
    one = counts[0] if counts and all(count == counts[0] for count in counts) else None
    return {
        "fine_tuned_sha256": said if isinstance(said, str) else None,
        "scoring": "cloze" if cloze else "letter",
        "shots": one if isinstance(one, int) and 0 <= one < 1000 else None,
    }


def _scores(value: dict[str, Any]) -> list[SubsetScore]:
    results, samples = value.get("results"), value.get("n-samples")
    if not isinstance(results, dict):
        raise ValueError("results.json has no `results`.")
    scores: dict[str, SubsetScore] = {}
    for task, row in results.items():
        subset = _subset(task)
        accuracy = _share(row, "acc,none", "acc") if isinstance(row, dict) else None
        if subset is None or accuracy is None or subset in scores:
            continue
        count = samples.get(task) if isinstance(samples, dict) else None
        effective = count.get("effective") if isinstance(count, dict) else None
        n = effective if isinstance(effective, int) and 0 < effective < 10**9 else None
        scores[subset] = SubsetScore(subset, accuracy, _share(row, "acc_stderr,none", "acc_stderr"), n)
    if not scores:
        raise ValueError("results.json holds none of the six medical MMLU subsets.")
    return [scores[subset] for subset in sorted(scores)]


def _subset(task: Any) -> str | None:
    """The subset that a task asks about; the harness's cloze tasks end in `_continuation`."""
    name = task.removesuffix(CLOZE) if isinstance(task, str) else ""
    return next((subset for subset in SUBSETS if name.endswith(subset)), None)


def _share(row: dict[str, Any], *keys: str) -> float | None:
    for key in keys:
        value = row.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:  # NaN is neither
            return float(value)
    return None


def write_answers(run_folder: Path, rows: pd.DataFrame) -> None:
    """Replace the run's answers; `rows` has the columns of ANSWER_SCHEMA."""
    # Not from_pandas: it would make null of the NaN of a model that fell apart.
    columns = [_column(rows, field) for field in ANSWER_SCHEMA]
    write_rows(run_folder / ANSWERS, pa.Table.from_arrays(columns, schema=ANSWER_SCHEMA))


def _column(rows: pd.DataFrame, field: pa.Field) -> pa.Array:
    """A choice that is NaN was not made, and is null; a log-likelihood that is NaN stays what it is."""
    if field.name.endswith("_choice"):
        return pa.array([None if pd.isna(choice) else int(choice) for choice in rows[field.name]], field.type)
    return pa.array(rows[field.name].tolist(), field.type, from_pandas=False)


def read_answers(run_folder: Path) -> pd.DataFrame:
    """One row per question with the columns of ANSWER_SCHEMA; no question's text is in the file.

    Raises:
        UnreadableFile: missing, too large, not a Parquet file, or a column is missing or holds what it should not.
        OutsideStore: a link that leaves the run folder.
    """
    frame = read_rows(
        run_folder,
        ANSWERS,
        ANSWER_SCHEMA,
        required=ANSWER_SCHEMA.names,
        size=READ_LIMIT,
        rows=ROW_LIMIT,
        lacking="this run has no MMLU answers to show.",
    )
    chosen = frame[["base_choice", "fine_tuned_choice"]]
    known = frame["target"].isin(range(4)).all() and (chosen.isin(range(4)) | chosen.isna()).all(axis=None)
    if frame[["subset", "question"]].isna().any(axis=None) or not known:
        raise UnreadableFile("answers.parquet has a row without a question, or a letter beyond A to D.")
    return frame


def letters(answers: pd.DataFrame, variant: str) -> tuple[int, int, int, int]:
    """How many questions `variant` answered with each letter."""
    chosen = answers[f"{variant}_choice"].dropna().to_numpy(np.int64)
    a, b, c, d = (int(n) for n in np.bincount(chosen, minlength=4))
    return a, b, c, d


def always_one_letter(answers: pd.DataFrame) -> float:
    """The best accuracy that always answering one and the same letter gives; 0 where there is no question."""
    counts = np.bincount(answers["target"].to_numpy(np.int64), minlength=4)
    return float(counts.max()) / len(answers) if len(answers) else 0.0


def accuracy(answers: pd.DataFrame, variant: str) -> float:
    """Share of right answers over all questions; 0 where there is none."""
    right = (answers[f"{variant}_choice"] == answers["target"]).to_numpy()
    return float(right.mean()) if len(right) else 0.0
