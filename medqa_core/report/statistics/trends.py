"""Tests behind the words "fell", "rose" and "more": a sentence is said only where a test supports it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

ALPHA = 0.05
"""The chance that is accepted of saying something which shuffled data would show as well."""
MOST = 500
"""Points a trend test looks at; a longer curve is averaged in blocks first."""


@dataclass(frozen=True)
class Test:
    """The outcome of one test. `p` is 1 where there is nothing to test."""

    statistic: float
    p: float
    n: int

    @property
    def holds(self) -> bool:
        """Whether the data support the claim that was tested."""
        return self.p < ALPHA

    @property
    def either_way(self) -> "Test":
        """The same test where the opposite would have been said as well: its p-value counts twice."""
        return Test(self.statistic, min(1.0, 2 * self.p), self.n)


def falling(values: np.ndarray) -> Test:
    """Mann-Kendall: do the values fall in the order in which they come?"""
    return _kendall(np.arange(len(values)), values, "less")


def rising(values: np.ndarray) -> Test:
    """Mann-Kendall: do the values rise in the order in which they come?"""
    return _kendall(np.arange(len(values)), values, "greater")


def below(low: np.ndarray, high: np.ndarray) -> Test:
    """Mann-Whitney: are the values of `low` smaller than those of `high`?"""
    if len(low) < 1 or len(high) < 1:
        return Test(0.0, 1.0, 0)
    found = _stats().mannwhitneyu(low, high, alternative="less")
    return _test(found, len(low) + len(high))


def paired(first: np.ndarray, second: np.ndarray) -> Test:
    """Wilcoxon's signed ranks: do pairs differ in one direction?"""
    change = second - first
    if np.count_nonzero(change) < 6:  # fewer can never reach p < 0.05
        return Test(0.0, 1.0, len(change))
    return _test(_stats().wilcoxon(change), len(change))


def sign(won: int, lost: int) -> Test:
    """The sign test: are wins and losses further apart than a coin's?"""
    if won + lost == 0:
        return Test(0.0, 1.0, 0)
    found = _stats().binomtest(won, won + lost)
    return Test(float(won - lost), float(found.pvalue), won + lost)


def together(first: np.ndarray, second: np.ndarray) -> Test:
    """Spearman: does one grow where the other grows?"""
    if len(first) < 10 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return Test(0.0, 1.0, len(first))
    return _test(_stats().spearmanr(first, second), len(first))


def differs(values: np.ndarray, level: float) -> Test:
    """Student: is the mean of the values another one than `level`?"""
    if len(values) < 3 or np.ptp(values) == 0:
        return Test(0.0, 1.0, len(values))
    return _test(_stats().ttest_1samp(values, level), len(values))


def guessing(right: int, n: int, chance: float) -> Test:
    """Exact binomial: is a share of right answers above chance?"""
    if n < 1 or not 0 <= right <= n:
        return Test(0.0, 1.0, n)
    return Test(right / n, float(_stats().binomtest(right, n, chance, alternative="greater").pvalue), n)


def uneven(counts: Sequence[int]) -> Test:
    """Pearson's chi-square: are the counts further from equal than chance makes them?"""
    if sum(counts) < 5 * len(counts):  # fewer than five expected in each: the test is no longer one
        return Test(0.0, 1.0, sum(counts))
    return _test(_stats().chisquare(counts), sum(counts))


def tenths(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last tenth of the values, at least one each."""
    size = max(1, len(values) // 10)
    return values[:size], values[-size:]


def blocks(values: np.ndarray, most: int = MOST) -> np.ndarray:
    """At most `most` values, each the mean of as many neighbours."""
    if len(values) <= most:
        return values
    return np.array([part.mean() for part in np.array_split(values, most)])


def _stats() -> Any:
    """scipy.stats, which takes about a second to import: the first words of a page can do without it."""
    from scipy import stats

    return stats


def _kendall(order: np.ndarray, values: np.ndarray, alternative: str) -> Test:
    if len(values) > MOST:
        values = blocks(values)
        order = np.arange(len(values))
    if len(values) < 3 or np.ptp(values) == 0:
        return Test(0.0, 1.0, len(values))
    return _test(_stats().kendalltau(order, values, alternative=alternative), len(values))


def _test(found: object, n: int) -> Test:
    statistic, p = float(getattr(found, "statistic", 0.0)), float(getattr(found, "pvalue", 1.0))
    return Test(statistic, p, n) if np.isfinite(p) and np.isfinite(statistic) else Test(0.0, 1.0, n)
