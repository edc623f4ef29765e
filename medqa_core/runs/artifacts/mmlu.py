"""`mmlu_results/`: results.json in lm-evaluation-harness's format, answers.parquet with one row per question."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from medqa_core.foundation.errors import UnreadableFile
from medqa_core.foundation.files import read_json
from medqa_core.foundation.paths import resolve_inside
from medqa_core.runs.artifacts.parquet import read_rows, write_rows
from medqa_core.runs.schema.evaluation import VARIANTS, MMLUProtocol, Scoring

FOLDER = "mmlu_results"
RESULTS = f"{FOLDER}/results.json"
ANSWERS = f"{FOLDER}/answers.parquet"
READ_LIMIT = 16 * 2**20
ROW_LIMIT = 20_000
"""MMLU as a whole has 14,042 test questions."""

GENERATED = "generated"
"""In a file's `config.scoring`: the model wrote its choice down, none of our ways to ask for likelihoods."""
CLOZE = "_continuation"
"""How the harness's tasks end that score the choices' own texts."""
LETTERS = ("A", "B", "C", "D")
CHANCE = 0.25
"""Four letters to choose from."""
CHANCE_ALPHA = 0.05
"""Of saying that one of two models knows more than a guesser does, where neither does."""

Metric = Literal["acc", "acc_calibrated", "acc_bytes"]
"""The accuracy that counts. `acc` and `acc_bytes` are the harness's; calibration needs all questions at once."""
METRICS: dict[Scoring, Metric] = {"letter": "acc", "calibrated": "acc_calibrated", "cloze": "acc_bytes"}

SUBSETS = (
    "anatomy",
    "clinical_knowledge",
    "college_biology",
    "college_medicine",
    "medical_genetics",
    "professional_medicine",
)

_TASK = re.compile(
    r"(?:mmlu_|(?:harness\|)?hendrycksTest-|(?:\w+\|)?mmlu:)"
    rf"(?P<subset>{'|'.join(SUBSETS)})(?:{CLOZE})?(?:\|\d+){{0,2}}"
)
"""`mmlu_SUBSET` (lm-evaluation-harness; its cloze tasks end in `_continuation`), what it was called before
(`hendrycksTest-SUBSET`, in leaderboards' files `harness|hendrycksTest-SUBSET|5`), `lighteval|mmlu:SUBSET|5|0`."""

ANSWER_SCHEMA = pa.schema(
    [
        ("subset", pa.string()),
        ("question", pa.int64()),  # its place in the subset's file, from 0
        ("target", pa.int64()),  # index of the right letter
        *[
            field
            for variant in VARIANTS
            for field in (
                (f"{variant}_choice", pa.int64()),  # index of the likeliest letter, the first of equals; null: none
                *((f"{variant}_logprob_{letter.lower()}", pa.float64()) for letter in LETTERS),  # nats; NaN: not finite
            )
        ],
    ]
)
CLOZE_SCHEMA = pa.schema(
    [
        *(
            (f"{variant}_cloze_{letter.lower()}", pa.float64())  # nats of the choice's own text; null: not asked
            for variant in VARIANTS
            for letter in LETTERS
        ),
        *((f"bytes_{letter.lower()}", pa.int64()) for letter in LETTERS),  # of the choice's text in UTF-8
    ]
)
"""Beside them since version 0.3: whichever of the two was asked for, the other's columns may be null.

What 0.2 asked by cloze stands in the columns of the letters, and its lengths are not known.
"""
SCHEMA = pa.unify_schemas([ANSWER_SCHEMA, CLOZE_SCHEMA])


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
    fine_tuned_config_sha256: str | None = None
    """Of their configuration, where the file says."""
    scoring: Scoring | None = None
    metric: Metric = "acc"
    letters: bool = True
    """Whether the letters were asked for, whatever is judged."""
    shots: int | None = None
    """Examples in the prompt; None where the file does not say."""

    @property
    def protocol(self) -> MMLUProtocol:
        """How the questions were asked."""
        return MMLUProtocol(scoring=self.scoring, per_byte=self.metric == "acc_bytes", shots=self.shots)

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
        how = _how(tuned)
        scores = _scores(tuned, how)
        return MMLUResults(scores, _scores(base, how) if isinstance(base, dict) else None, **how)
    how = _how(value)
    return MMLUResults(_scores(value, how), **how)


def _how(value: dict[str, Any]) -> dict[str, Any]:
    """How the questions were asked and judged, and of which weights."""
    config = value.get("config")
    config = config if isinstance(config, dict) else {}
    weights = config.get("model_args")
    weights = weights if isinstance(weights, dict) else {}
    tasks = [str(task) for task in value["results"]] if isinstance(value.get("results"), dict) else []
    cloze = any(task.endswith(CLOZE) for task in tasks)
    examples = value.get("n-shot")
    counts = list(examples.values()) if isinstance(examples, dict) else []
    one = counts[0] if counts and all(count == counts[0] for count in counts) else None
    metric = config.get("metric")
    scoring = next((s for s in get_args(Scoring) if METRICS[s] == metric), "cloze" if cloze else "letter")
    sums = {name: weights.get(name) for name in ("fine_tuned_sha256", "fine_tuned_config_sha256")}
    return {
        **{name: said if isinstance(said, str) else None for name, said in sums.items()},
        "scoring": None if config.get("scoring") == GENERATED else scoring,
        "metric": metric if metric in METRICS.values() else "acc",
        "letters": any(subset_of(task) is not None and not task.endswith(CLOZE) for task in tasks),
        "shots": one if isinstance(one, int) and 0 <= one < 1000 else None,
    }


def _scores(value: dict[str, Any], how: dict[str, Any]) -> list[SubsetScore]:
    results, samples = value.get("results"), value.get("n-samples")
    if not isinstance(results, dict):
        raise ValueError("results.json has no `results`.")
    scores: dict[str, SubsetScore] = {}
    metric, both = how["metric"], how["letters"] and how["metric"] != "acc"
    for task, row in results.items():
        subset = subset_of(task)
        if both and str(task).endswith(CLOZE) != (how["scoring"] == "cloze"):
            continue  # asked in both ways: only one of them was judged
        accuracy = _share(row, f"{metric},none", metric) if isinstance(row, dict) else None
        if subset is None or accuracy is None or subset in scores:
            continue
        count = samples.get(task) if isinstance(samples, dict) else None
        effective = count.get("effective") if isinstance(count, dict) else None
        n = effective if isinstance(effective, int) and 0 < effective < 10**9 else None
        error = _share(row, f"{metric}_stderr,none", f"{metric}_stderr")
        scores[subset] = SubsetScore(subset, accuracy, error, n)
    if not scores:
        raise ValueError("results.json holds none of the six medical MMLU subsets.")
    return [scores[subset] for subset in sorted(scores)]


def subset_of(task: Any) -> str | None:
    """The subset that a task asks about, by the exact names of the harnesses that ask MMLU's own questions.

    Exams in other languages, translations and other sets with the same subjects (`cmmlu_anatomy`) are other tasks.
    """
    found = _TASK.fullmatch(task) if isinstance(task, str) else None
    return found["subset"] if found else None


def _share(row: dict[str, Any], *keys: str) -> float | None:
    for key in keys:
        value = row.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:  # NaN is neither
            return float(value)
    return None


def write_answers(run_folder: Path, rows: pd.DataFrame) -> None:
    """Replace the run's answers; `rows` has the columns of SCHEMA, of which those that were not asked may be absent."""
    # Not from_pandas: it would make null of the NaN of a model that fell apart.
    columns = [_column(rows, field) for field in SCHEMA]
    write_rows(run_folder / ANSWERS, pa.Table.from_arrays(columns, schema=SCHEMA))


def _column(rows: pd.DataFrame, field: pa.Field) -> pa.Array:
    """A choice that is NaN was not made, and is null; a log-likelihood that is NaN stays what it is."""
    if field.name not in rows:
        return pa.nulls(len(rows), field.type)
    if pa.types.is_integer(field.type) and field.name not in ("question", "target"):
        return pa.array([None if pd.isna(number) else int(number) for number in rows[field.name]], field.type)
    return pa.array(rows[field.name].tolist(), field.type, from_pandas=False)


def read_answers(run_folder: Path) -> pd.DataFrame:
    """One row per question with the columns of SCHEMA, NaN where one was not asked; no question's text is in the file.

    Raises:
        UnreadableFile: missing, too large, not a Parquet file, or a column is missing or holds what it should not.
        OutsideStore: a link that leaves the run folder.
    """
    frame = read_rows(
        run_folder,
        ANSWERS,
        SCHEMA,
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


def choices_by(answers: pd.DataFrame, variant: str, metric: Metric) -> npt.NDArray[np.float64]:
    """What `variant` chose on each question, 0 to 3, as `metric` counts it; the first of equals, NaN where it cannot.

    * `acc`: the likeliest of the four letters.
    * `acc_calibrated`: the same after each letter's mean log-likelihood over all questions was taken out, by which a
      letter that is likely whatever is asked loses that advantage. It is the contextual calibration of Zhao et al.
      ("Calibrate before use", ICML 2021) with a diagonal matrix, the mean question in place of the content-free input.
    * `acc_bytes`: the choice whose text is likeliest per byte, as the harness's metric of that name.
    """
    what = "cloze" if metric == "acc_bytes" else "logprob"
    nats = answers[[f"{variant}_{what}_{letter.lower()}" for letter in LETTERS]].to_numpy(np.float64, na_value=np.nan)
    finite = np.isfinite(nats).all(axis=1)
    if metric == "acc_calibrated" and finite.any():
        nats = nats - nats[finite].mean(axis=0)
    if metric == "acc_bytes":
        sizes = answers[[f"bytes_{letter.lower()}" for letter in LETTERS]].to_numpy(np.float64, na_value=np.nan)
        nats = nats / sizes
        finite &= np.isfinite(nats).all(axis=1)
    return np.where(finite, np.where(finite[:, None], nats, 0.0).argmax(axis=1), np.nan)


def scored(answers: pd.DataFrame, scoring: Scoring) -> pd.DataFrame:
    """`answers` with both models' choices as `scoring` makes them; NaN where it was not asked for."""
    metric = METRICS[scoring]
    chosen = {f"{variant}_choice": choices_by(answers, variant, metric) for variant in VARIANTS}
    return answers.assign(**chosen)


def chance_of(answers: pd.DataFrame, variant: str) -> float:
    """What guessing would be right in: a quarter, or more where one letter is picked, and right, oftener than others.

    The share that the same picks would get right if they were dealt out over the questions at random, as in Cohen's
    kappa: a model that always says D is no better than guessing where D is right in 31%.
    """
    chosen = answers[answers[f"{variant}_choice"].notna()]
    if chosen.empty:
        return CHANCE
    picked = np.array(letters(chosen, variant)) / len(chosen)
    right = np.bincount(chosen["target"].to_numpy(np.int64), minlength=4) / len(chosen)
    return max(CHANCE, float(picked @ right))


def chance_p(answers: pd.DataFrame, variant: str) -> float:
    """One-sided exact binomial test: the chance of so many right answers for one who guesses; 1 without answers."""
    from scipy.stats import binomtest  # takes a second to import, which a list of runs can do without

    n = int(answers[f"{variant}_choice"].notna().sum())
    if n == 0:
        return 1.0
    right = int((answers[f"{variant}_choice"] == answers["target"]).sum())
    return float(binomtest(right, n, chance_of(answers, variant), alternative="greater").pvalue)


def above_chance(p: float) -> bool:
    """Whether `chance_p` of one of two models is above chance: at 2.5% (Bonferroni), so at 5% for both together."""
    return p <= CHANCE_ALPHA / len(VARIANTS)


def at_chance(answers: pd.DataFrame) -> bool:
    """Whether neither model is significantly above chance."""
    return not any(above_chance(chance_p(answers, variant)) for variant in VARIANTS)


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
