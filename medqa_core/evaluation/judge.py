"""Base against fine-tuned on the same questions: difference, confidence interval, p-value and verdict.

Questions about one topic rise and fall together, so whole groups are resampled and not single questions:

* interval: percentile bootstrap over groups (Davison and Hinkley, "Bootstrap Methods and their Application", 1997,
  sections 2.4 and 3.8);
* p-value: two-sided permutation test that swaps the two models' results a whole group at a time (Good, "Permutation,
  Parametric and Bootstrap Tests of Hypotheses", 2005, chapter 3), with the +1 of Phipson and Smyth (2010), so that it
  is never 0;
* several metrics: Holm's correction of the p-values of all but the primary one (Holm 1979).

A metric is a ratio of two sums over questions (nats over tokens, ROUGE over questions): both are resampled together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medqa_core.runs.evaluation import LOWER_IS_BETTER, Metric

LEVEL = 0.95
RESAMPLES = 5_000
MIN_GROUPS = 5
"""Below this many groups the bootstrap says nothing that holds."""
DETECTION_FACTOR = 2.8
"""Normal quantiles for a two-sided test at 5% (1.96) with 80% power (0.84): standard errors that can be detected."""

Array = npt.NDArray[np.float64]

MARGINS = {"loss": 0.02, "perplexity": 0.15, "bits_per_byte": 0.005, "rouge1": 0.01, "rouge2": 0.01, "rougeL": 0.01}
"""Differences smaller than this are of no practical weight: the margin of `equivalent`."""


@dataclass(frozen=True)
class Paired:
    """Both models' results on the same questions: sums in a common unit, and what they are divided by."""

    base: Array
    fine_tuned: Array
    weight: Array
    group: npt.NDArray[np.int64]

    @classmethod
    def of(
        cls, base: Sequence[float], fine_tuned: Sequence[float], weight: Sequence[float], groups: Sequence[str]
    ) -> "Paired":
        """From one value a question; questions with an infinite or missing value on either side are left out."""
        columns = np.array([base, fine_tuned, weight], dtype=np.float64)
        kept = np.isfinite(columns).all(axis=0) & (columns[2] > 0)
        numbers = np.unique(np.asarray(groups, dtype=str)[kept], return_inverse=True)[1]
        return cls(columns[0][kept], columns[1][kept], columns[2][kept], numbers.astype(np.int64))


def judge(
    name: str, data: Paired, *, transform: Callable[[Array], Array] = lambda ratio: ratio, seed: int = 0
) -> Metric:
    """The verdict on one metric.

    Args:
        name: the metric; it decides which direction is better and the margin of equivalence.
        data: both models' results; a question's value is `base` and `fine_tuned` over `weight`, all summed first.
        transform: from the ratio of sums to the metric, for example `exp` for perplexity.
        seed: of the resampling.
    """
    n = len(data.weight)
    if n == 0:
        return Metric(n=0, groups=0, reason="No question has a finite result for both models.")
    groups = int(data.group.max()) + 1
    columns = (data.base, data.fine_tuned, data.weight)
    sums: Array = np.stack([np.bincount(data.group, column, groups) for column in columns]).astype(np.float64)
    with np.errstate(over="ignore"):  # exp of the loss of a model that fell apart
        base, tuned = (float(transform(sums[row].sum() / sums[2].sum())) for row in (0, 1))
    if not np.isfinite([base, tuned]).all():
        return Metric(n=n, groups=groups, reason="Too large to be written as a number for at least one model.")
    difference = tuned - base
    common = {"base": base, "fine_tuned": tuned, "difference": difference, "n": n, "groups": groups}
    if groups < MIN_GROUPS:
        return Metric(**common, reason=f"Only {groups} independent topics: at least {MIN_GROUPS} are needed.")
    random = np.random.default_rng(seed)
    with np.errstate(over="ignore", invalid="ignore"):
        drawn = _bootstrap(sums, transform, random)
        p = _permutation(sums, transform, difference, random)
    if not np.isfinite(drawn).all():
        return Metric(**common, reason="Too large to be resampled.")
    low, high = (float(q) for q in np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    error = float(drawn.std(ddof=1))
    return Metric(
        **common,
        ci=(low, high),
        level=LEVEL,
        p=p,
        verdict=_verdict(name, difference, low, high, p),
        smallest_detectable=DETECTION_FACTOR * error,
    )


def with_p(name: str, metric: Metric, p: float) -> Metric:
    """`metric` with a corrected p-value, and the verdict that follows from it."""
    if metric.ci is None or metric.difference is None:
        return metric
    return metric.model_copy(update={"p": p, "verdict": _verdict(name, metric.difference, *metric.ci, p)})


def _verdict(name: str, difference: float, low: float, high: float, p: float) -> str:
    """Better or worse where interval and test agree; equivalent where the whole interval is inside the margin."""
    margin = MARGINS.get(name, 0.0)
    if p <= 1 - LEVEL and (low > 0 or high < 0):
        return "better" if (difference < 0) == (name in LOWER_IS_BETTER) else "worse"
    return "equivalent" if -margin < low and high < margin else "cannot tell"


def _bootstrap(sums: Array, transform: Callable[[Array], Array], random: np.random.Generator) -> Array:
    groups = sums.shape[1]
    counts = random.multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES).astype(np.float64)
    totals = counts @ sums.T
    drawn: Array = transform(totals[:, 1] / totals[:, 2]) - transform(totals[:, 0] / totals[:, 2])
    return drawn


def _permutation(
    sums: Array, transform: Callable[[Array], Array], difference: float, random: np.random.Generator
) -> float:
    swapped = random.integers(0, 2, size=(RESAMPLES, sums.shape[1])).astype(np.float64)
    gap = sums[1] - sums[0]
    base = (sums[0].sum() + swapped @ gap) / sums[2].sum()
    tuned = (sums[1].sum() - swapped @ gap) / sums[2].sum()
    null = transform(tuned) - transform(base)
    # A tolerance, or sums that are equal in exact arithmetic would count as more extreme or not by rounding.
    extreme = int((np.abs(null) >= abs(difference) - 1e-12 * max(1.0, abs(difference))).sum())
    return (extreme + 1) / (RESAMPLES + 1)
