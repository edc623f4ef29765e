"""Which letters the models chose on MMLU, what always the same one would reach, and what each scoring says."""

from dataclasses import dataclass

import pandas as pd

from medqa_core.report.statistics.trends import sign
from medqa_core.runs.artifacts.mmlu import (
    MMLUResults,
    accuracy,
    always_one_letter,
    chance_of,
    chance_p,
    letters,
    scored,
)
from medqa_core.runs.schema.evaluation import VARIANTS, Scoring


@dataclass(frozen=True)
class Choices:
    """One model's letters over all questions that it answered."""

    picked: tuple[int, ...]
    """How often each letter was chosen."""
    right: tuple[int, ...]
    """How often each letter is the right one of these questions."""
    accuracy: float
    always: float
    """Share right of a model that always chooses the letter that is right most often."""

    @property
    def n(self) -> int:
        """Questions."""
        return sum(self.picked)

    @property
    def best_letter(self) -> int:
        """The place of the letter that is right most often."""
        return max(range(len(self.right)), key=lambda i: self.right[i])


def choices(answers: pd.DataFrame | None, variant: str) -> Choices | None:
    """One variant's letters on the questions that it chose one on; None where there are none."""
    answers = None if answers is None else answers[answers[f"{variant}_choice"].notna()]
    if answers is None or answers.empty:
        return None
    key = letters(answers.rename(columns={f"{variant}_choice": "picked", "target": f"{variant}_choice"}), variant)
    return Choices(letters(answers, variant), key, accuracy(answers, variant), always_one_letter(answers))


@dataclass(frozen=True)
class Scored:
    """Both models' accuracy as one scoring counts it, by variant, each against guessing."""

    scoring: Scoring
    judged: bool
    """Whether it is the one that the evaluation judged."""
    n: int
    accuracy: dict[str, float]
    chance: dict[str, float]
    """What guessing gives with the same letters (`runs.artifacts.mmlu.chance_of`)."""
    chance_p: dict[str, float]
    """One-sided exact binomial test against that."""
    p: float
    """McNemar's exact test between the models, of this scoring alone."""


def scorings(answers: pd.DataFrame | None, results: MMLUResults | None) -> tuple[Scored, ...]:
    """What each scoring says whose answers are there: letter, calibrated letter, cloze."""
    if answers is None or results is None or answers.empty:
        return ()
    known: list[Scoring] = ["letter", "calibrated"] if results.letters else []
    if answers["bytes_a"].notna().any():
        known.append("cloze")
    return tuple(_scored(scored(answers, one), one, judged=one == results.scoring) for one in known)


def _scored(answers: pd.DataFrame, scoring: Scoring, *, judged: bool) -> Scored:
    base, tuned = (answers[f"{variant}_choice"] == answers["target"] for variant in VARIANTS)
    return Scored(
        scoring,
        judged,
        len(answers),
        {variant: accuracy(answers, variant) for variant in VARIANTS},
        {variant: chance_of(answers, variant) for variant in VARIANTS},
        {variant: chance_p(answers, variant) for variant in VARIANTS},
        sign(int((tuned & ~base).sum()), int((base & ~tuned).sum())).p,
    )
