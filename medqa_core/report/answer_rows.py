"""Which test questions to show, in what order, and which model's answers score higher how often."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from medqa_core.data.pairs import QAPair
from medqa_core.foundation.format import count
from medqa_core.report.names import METRICS
from medqa_core.runs.schema.evaluation import VARIANTS

SCORES = ("rougeL", "rouge1", "rouge2", "token_f1", "content_f1", "loss")
"""Metrics that each answer has by itself; the first is the one that counts where nothing else is asked."""
RIGHT = {"content_f1": 0.2, "token_f1": 0.4, "rougeL": 0.3}
"""From which score on an answer counts as right, and by which score: the first of these that a run has."""
ORDERS = ("largest improvement", "largest regression", "as in the test set", "longest answer")
BY_SCORE = {"fine-tuned scores higher": 1, "base scores higher": -1, "equal": 0}
"""The sign of the improvement that each filter keeps."""
BY_CONTENT = {
    "only base right": (True, False),
    "only fine-tuned right": (False, True),
    "both right": (True, True),
    "neither right": (False, False),
}
"""Whether the base model's answer, and the fine-tuned model's, is right in what each filter keeps."""
OUTCOMES = ("all", *BY_SCORE, *BY_CONTENT)
LONGEST_SEARCH = 200
"""Characters of a search that count."""


@dataclass(frozen=True)
class Filters:
    """What the visitor wants to see."""

    score: str = SCORES[0]
    search: str = ""
    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    outcome: str = "all"
    order: str = ORDERS[0]


@dataclass(frozen=True)
class ScoreTally:
    """On how many test questions each model's answer scores better."""

    score: str
    questions: int
    fine_tuned: int
    base: int
    equal: int

    @property
    def compared(self) -> int:
        """Questions on which both answers have the score."""
        return self.fine_tuned + self.base + self.equal

    def sentence(self) -> str:
        """The tally in words."""
        spec = METRICS[self.score]
        if not self.compared:
            return f"{count(self.questions)} test questions; {spec.label} was not measured for both models."
        higher = "lower" if spec.lower_is_better else "higher"
        tie = f"; {count(self.equal)} {'is' if self.equal == 1 else 'are'} equal" if self.equal else ""
        return (
            f"The fine-tuned model has the {higher} {spec.label} on {count(self.fine_tuned)} of "
            f"{count(self.compared)} questions, the base model on {count(self.base)}{tie}."
        )


def gain(rows: pd.DataFrame, score: str) -> pd.Series:
    """How much better the fine-tuned answer scores, question by question; of a loss, how much lower it is."""
    sign = -1.0 if METRICS[score].lower_is_better else 1.0
    return sign * (rows[f"fine_tuned_{score}"].astype(float) - rows[f"base_{score}"].astype(float))


def measured(rows: pd.DataFrame) -> list[str]:
    """The scores that some question has for both models."""
    return [name for name in SCORES if f"base_{name}" in rows and gain(rows, name).notna().any()]


def content_score(rows: pd.DataFrame) -> str | None:
    """The score by which an answer counts as right; None where the run has none that could say so."""
    found = measured(rows)
    return next((name for name in RIGHT if name in found), None)


def right(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """Whether each answer is right by `score`, a column a model, in the rows that have it for both models."""
    columns = {variant: rows[f"{variant}_{score}"].astype(float) for variant in VARIANTS}
    found: pd.DataFrame = pd.DataFrame(columns).dropna() >= RIGHT[score]
    return found


def used_references(row: Mapping[str, Any], references: Sequence[str], score: str) -> dict[str, int]:
    """By model, the place of the reference that its answer's `score` is from; without an answer or a place, nothing.

    The loss is of the question's own reference answer, which is the first.
    """
    if score == "loss" or len(references) == 1:
        return dict.fromkeys(VARIANTS, 0)
    # Here and not above: its stemmer takes a second to import, and few questions have several references.
    from medqa_core.evaluation.text_metrics import used_reference

    answers = {v: text for v in VARIANTS if isinstance(text := row.get(f"{v}_answer"), str)}
    places = {variant: used_reference(score, text, references) for variant, text in answers.items()}
    return {variant: place for variant, place in places.items() if place is not None}


def choose(rows: pd.DataFrame, filters: Filters, texts: dict[str, QAPair] | None) -> pd.DataFrame:
    """The rows that pass the filters, in the order asked for, with their gain as a column."""
    kept = rows.assign(gain=gain(rows, filters.score))
    if filters.types:
        kept = kept[kept["question_type"].isin(filters.types)]
    if filters.sources:
        kept = kept[kept["source"].isin(filters.sources)]
    kept = _with_outcome(kept, filters.outcome)
    if filters.search.strip():
        kept = kept[_contains(kept, filters.search.strip()[:LONGEST_SEARCH], texts)]
    return _ordered(kept, filters.order)


def tally(rows: pd.DataFrame, score: str) -> ScoreTally:
    """On how many questions each model's answer scores better."""
    difference = gain(rows, score).dropna()
    better, worse = int((difference > 0).sum()), int((difference < 0).sum())
    return ScoreTally(score, len(rows), better, worse, len(difference) - better - worse)


def values(rows: pd.DataFrame, column: str) -> list[str]:
    """The distinct values of a column, for a filter."""
    return sorted(str(value) for value in rows[column].dropna().unique())


def download(rows: pd.DataFrame, texts: dict[str, QAPair] | None) -> pd.DataFrame:
    """The rows with the question and its own reference beside them where they are known."""
    pairs = [texts.get(str(i)) if texts else None for i in rows["question_id"]]
    front = {"question": [p.question if p else "" for p in pairs], "reference": [p.answer if p else "" for p in pairs]}
    return pd.concat([pd.DataFrame(front, index=rows.index), rows], axis=1)


def _with_outcome(rows: pd.DataFrame, outcome: str) -> pd.DataFrame:
    if outcome in BY_SCORE:
        of_outcome: pd.DataFrame = rows[np.sign(rows["gain"]) == BY_SCORE[outcome]]
        return of_outcome
    if outcome not in BY_CONTENT:
        return rows
    score = content_score(rows)
    if score is None:
        return rows.iloc[:0]
    found = right(rows, score)
    wanted = found[(found == list(BY_CONTENT[outcome])).all(axis=1)].index
    return rows.loc[wanted]


def _ordered(rows: pd.DataFrame, order: str) -> pd.DataFrame:
    improvement, regression, as_they_are, longest = ORDERS
    if order == as_they_are:
        return rows
    column, ascending = {
        improvement: ("gain", False),
        regression: ("gain", True),
        longest: ("fine_tuned_answer_tokens", False),
    }[order]
    return rows.sort_values(column, ascending=ascending, kind="stable", na_position="last")


def _contains(rows: pd.DataFrame, search: str, texts: dict[str, QAPair] | None) -> pd.Series:
    needle = search.casefold()

    def found(question_id: object, *answers: object) -> bool:
        pair = texts.get(str(question_id)) if texts else None
        hay = [str(question_id), *(a for a in answers if isinstance(a, str))]
        hay += [pair.question, pair.answer, pair.topic] if pair else []
        return any(needle in text.casefold() for text in hay)

    columns = zip(rows["question_id"], rows["base_answer"], rows["fine_tuned_answer"], strict=True)
    return pd.Series([found(*row) for row in columns], index=rows.index, dtype=bool)
