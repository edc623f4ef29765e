"""Base against fine-tuned on questions that are answered right or wrong: multiple choice, one answer a model.

Only questions that exactly one model got right tell the two apart (McNemar, "Note on the sampling error of the
difference between correlated proportions or percentages", Psychometrika 12, 1947):

* p-value: exact two-sided binomial test of those;
* interval: the score interval for a difference of paired proportions (Tango, "Equivalence test and confidence interval
  for the difference in proportions for the paired-sample design", Statistics in Medicine 17, 1998), which inverts the
  test that McNemar's is at zero. A bootstrap, or Wald's formula, would make of no such question an interval [0, 0];
  this one stays open by z²/(n + z²), where the rule of three would say 3/n. It keeps its level in small samples too
  (Fagerland, Lydersen and Laake, Statistics in Medicine 33, 2014).

Questions count as independent of each other: those of a multiple-choice test share no topics that are recorded.

Two models that guess are right equally often, and neither knows a thing. So `equivalent` needs one model that is
significantly above chance (`runs.artifacts.mmlu.at_chance`).
"""

import math

import pandas as pd
from scipy.special import ndtri
from scipy.stats import binomtest

from medqa_core.evaluation.rule import LEVEL, POWER, decided
from medqa_core.foundation.format import percent
from medqa_core.runs.artifacts.mmlu import at_chance, chance_of
from medqa_core.runs.schema.evaluation import VARIANTS, Metric

COLUMNS = ("target", "base_choice", "fine_tuned_choice")
METRIC = "mmlu"
"""Whose margin counts."""
_HALVINGS = 60
_Z = float(ndtri((1 + LEVEL) / 2))
"""Standard errors to either side, of an interval of that level."""


def judge_choices(answers: pd.DataFrame) -> Metric:
    """The verdict on the difference of accuracy over all questions, within MMLU's margin.

    Args:
        answers: one row per question with `target`, `base_choice` and `fine_tuned_choice`, in a common notation. A
            choice that is missing leaves its question out, and then nothing can be told.
    """
    if any(column not in answers.columns for column in COLUMNS):
        return decided(METRIC, Metric(n=0, groups=0), reason="The answers lack a column: target or one model's choice.")
    asked = answers[answers["target"].notna()]
    whole = asked[asked["base_choice"].notna() & asked["fine_tuned_choice"].notna()]
    n = len(whole)
    if n == 0:
        return decided(METRIC, Metric(n=0, groups=0), reason="No question has an answer of both models.")
    base, tuned = (whole[f"{variant}_choice"] == whole["target"] for variant in VARIANTS)
    lost, won = int((base & ~tuned).sum()), int((~base & tuned).sum())
    figures = {"base": float(base.mean()), "fine_tuned": float(tuned.mean()), "difference": (won - lost) / n}
    if n < len(asked):
        missing = {variant: int(asked[f"{variant}_choice"].isna().sum()) for variant in VARIANTS}
        said = f"{missing['base']} of the base model and {missing['fine_tuned']} of the fine-tuned model"
        reason = f"Choices are missing, {said}: the figures are of the other {n} of {len(asked)} questions."
        return decided(METRIC, Metric(**figures, n=n, groups=n), reason=reason)
    low, high = score_interval(won, lost, n)
    power = float(ndtri(POWER))
    metric = Metric(
        **figures,
        ci=(low, high),
        level=LEVEL,
        p=float(binomtest(won, won + lost).pvalue) if won + lost else 1.0,
        n=n,
        groups=n,
        # From the interval: where the models never differed, the plain standard error would be 0.
        min_detectable_effect=(_Z + power) * (high - low) / (2 * _Z),
    )
    judged = decided(METRIC, metric)
    if judged.verdict == "equivalent" and at_chance(whole):
        chance = percent(max(chance_of(whole, variant) for variant in VARIANTS))
        reason = (
            f"Neither model is significantly above chance ({chance}): that two who guess are right equally often says "
            "nothing about what they know."
        )
        return decided(METRIC, metric, reason=reason)
    return judged


def score_interval(won: int, lost: int, n: int) -> tuple[float, float]:
    """Tango's interval for the difference of two paired proportions, (won − lost) / n.

    Args:
        won: questions that only the second model got right.
        lost: questions that only the first model got right.
        n: all questions, at least 1.
    """
    return -_upper(lost, won, n), _upper(won, lost, n)


def _upper(won: int, lost: int, n: int) -> float:
    """The largest difference that the score test does not reject, by bisection: the statistic falls as it grows."""
    low, high = (won - lost) / n, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _statistic(middle, won, lost, n) > -_Z else (low, middle)
    return high


def _statistic(difference: float, won: int, lost: int, n: int) -> float:
    """Tango's equation (10): the observed difference, less `difference`, in standard errors estimated under it."""
    b = -won - lost + (2 * n - won + lost) * difference
    c = -lost * difference * (1 - difference)
    root = math.sqrt(max(0.0, b * b - 8 * n * c))
    other = (root - b) / (4 * n)  # the share of `lost` that is most likely if `difference` were the truth
    variance = n * (2 * other + difference * (1 - difference))
    gap = won - lost - n * difference
    if variance <= 0:
        return 0.0 if gap == 0 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)
