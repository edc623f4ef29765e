"""Base against fine-tuned on the same questions: difference, confidence interval, p-value and verdict.

Questions about one topic rise and fall together, so whole groups are resampled and not single questions:

* interval: Bayesian bootstrap over groups (Rubin, "The Bayesian bootstrap", Annals of Statistics 9, 1981) with one
  group more that was not seen and lies as far out as one may: Gaffke's bound for a mean ("Three test statistics for a
  nonparametric one-sided hypothesis on the mean of a nonnegative variable", Mathematical Methods of Statistics 14,
  2005; Learned-Miller and Thomas, "A new confidence interval for the mean of a bounded random variable", 2020). Of n
  groups without any difference it makes 3.7/n of the farthest difference, as the rule of three does, and not [0, 0].
  Its percentiles are moved outwards for few groups, as Student's t is wider than the normal curve (Hesterberg, "What
  teachers should know about the bootstrap", The American Statistician 69, 2015, section 5.3);
* p-value: two-sided permutation test that swaps the two models' results a whole group at a time (Good, "Permutation,
  Parametric and Bootstrap Tests of Hypotheses", 2005, chapter 3). Where few groups differ all swaps are counted;
  else some are drawn, with the +1 of Phipson and Smyth (2010), so that it is never 0.

A metric is a ratio of two sums over questions (nats over tokens, ROUGE over questions): both are resampled together.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtrit

from medqa_core.evaluation.rule import LEVEL, MIN_GROUPS, POWER, UNBOUNDED, decided
from medqa_core.runs.schema.evaluation import Metric

RESAMPLES = 5_000
EXACT = 12
"""Up to so many groups that differ, all ways to swap the models are counted: 4,096."""
FEW = 10
"""Where fewer groups than this differ, and most do not, how far one may differ is not known from those seen."""
CELLS = 1_000_000
"""Numbers drawn at a time: bounds the memory, 16 MB, whatever the number of groups."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Paired:
    """Both models' results on the same questions: sums in a common unit, and what they are divided by."""

    base: Array
    fine_tuned: Array
    weight: Array
    group: npt.NDArray[np.int64]
    asked: int | None = None
    """Questions before some were left out; None: none was."""
    unfinished: tuple[int, int] = (0, 0)
    """Questions left out because the base's, or the fine-tuned model's, result is missing or not finite."""

    @classmethod
    def of(
        cls, base: Sequence[float], fine_tuned: Sequence[float], weight: Sequence[float], groups: Sequence[str]
    ) -> "Paired":
        """From one value per question; questions with an infinite or missing value for either model are left out.

        So are those whose weight is not positive, on which there is nothing to compare.
        """
        columns = np.array([base, fine_tuned, weight], dtype=np.float64)
        counts = np.isfinite(columns[2]) & (columns[2] > 0)
        finite = np.isfinite(columns[:2])
        kept = counts & finite.all(axis=0)
        numbers = np.unique(np.asarray(groups, dtype=str)[kept], return_inverse=True)[1]
        lacking = [int((counts & ~variant).sum()) for variant in finite]
        left = columns[:, kept]
        group = numbers.astype(np.int64)
        return cls(left[0], left[1], left[2], group, int(counts.sum()), (lacking[0], lacking[1]))


class Item(NamedTuple):
    """One comparison to judge."""

    name: str
    """The metric; it decides which direction is better and the margin of equivalence."""
    data: Paired
    """Both models' results; the metric is the sum of `base`, or `fine_tuned`, over the sum of `weight`."""


def judge(name: str, data: Paired, *, seed: int = 0) -> Metric:
    """The verdict on one metric; see `Item` and `judge_all`."""
    return judge_all([Item(name, data)], seed=seed)[0]


def judge_all(items: Sequence[Item], *, seed: int = 0) -> list[Metric]:
    """The verdicts on several metrics, each the same as if it were judged alone.

    Metrics with as many groups share what is drawn, which takes most of the time.

    A model must not look better because the questions it broke down on are left out: where one is left out because a
    result is missing or not finite, the figures are those of the rest, and the verdict is `cannot tell`.

    Args:
        items: what to judge.
        seed: of the resampling.
    """
    judged: dict[int, Metric] = {}
    ready: dict[int, list[tuple[int, _Sums]]] = defaultdict(list)
    for place, item in enumerate(items):
        found = _sums(item)
        if isinstance(found, Metric):
            judged[place] = found
        else:
            ready[found.groups].append((place, found))
    for groups, members in ready.items():
        weights, swaps = _drawn(groups, np.stack([sums.columns for _, sums in members]), seed)
        for number, (place, sums) in enumerate(members):
            judged[place] = _judged(sums, weights, number, swaps[:, number])
    return [judged[place] for place in range(len(items))]


@dataclass(frozen=True)
class _Sums:
    """A comparison that can be judged: its sums by group, and its figures."""

    item: Item
    columns: Array
    """Base, fine-tuned and weight (rows) by group (columns)."""
    figures: dict[str, Any]

    @property
    def groups(self) -> int:
        return int(self.columns.shape[1])


def _sums(item: Item) -> _Sums | Metric:
    """The sums by group, or what can be said where there is nothing to resample."""
    name, data = item
    n = len(data.weight)
    if n == 0:
        asked = data.asked is None or data.asked > 0
        return decided(
            name,
            Metric(n=0, groups=0),
            reason="No question has a finite result for both models." if asked else "There is no question to compare.",
        )
    groups = int(data.group.max()) + 1
    parts = (data.base, data.fine_tuned, data.weight)
    columns: Array = np.array([np.bincount(data.group, part, groups) for part in parts], dtype=np.float64)
    base, tuned = (float(columns[row].sum() / columns[2].sum()) for row in (0, 1))
    figures: dict[str, Any] = {"base": base, "fine_tuned": tuned, "difference": tuned - base, "n": n, "groups": groups}
    if any(data.unfinished):
        return decided(name, Metric(**figures), reason=_unfinished(data))
    if groups < MIN_GROUPS:
        return decided(name, Metric(**figures), reason=too_few(groups))
    return _Sums(item, columns, figures)


def _unfinished(data: Paired) -> str:
    variants = zip(data.unfinished, ("the base model", "the fine-tuned model"), strict=True)
    whose = " and ".join(f"{count} of {variant}" for count, variant in variants if count)
    return (
        f"Results that are missing or not finite, {whose}: the figures are of the other {len(data.weight)} of "
        f"{data.asked} questions and prove nothing."
    )


def too_few(groups: int) -> str:
    """Why nothing is judged on so few groups."""
    topics = "topic" if groups == 1 else "topics"
    return (
        f"Only {groups} independent {topics}: below {MIN_GROUPS} no difference, however large, can be told from chance."
    )


class _Drawn(NamedTuple):
    """What the Bayesian bootstrap drew for metrics with as many groups."""

    gaps: Array
    """Weighted sums of fine-tuned less base: resamples × metrics."""
    sizes: Array
    """Weighted sums of the metric's divisor: resamples × metrics."""
    unseen: Array
    """The weight of the group that was not seen: resamples. Weights have a mean of 1."""


def _judged(sums: _Sums, drawn: _Drawn, number: int, swapped: Array) -> Metric:
    """The verdict from resampled sums; `number`: the metric's place in `drawn`, whose swapped gaps are `swapped`."""
    difference = sums.figures["difference"]
    size = sums.columns[2].mean()
    far = _farthest(sums)
    gaps, sizes = drawn.gaps[:, number], drawn.sizes[:, number] + drawn.unseen * size
    tail, reach = _tail(sums.groups)
    low, high = (
        float(np.quantile((gaps + drawn.unseen * size * (difference + sign * far)) / sizes, share))
        for sign, share in ((-1, tail), (1, 1 - tail))
    )
    metric = Metric(
        **sums.figures,
        ci=(low, high),
        level=LEVEL,
        p=_p(sums, swapped),
        # From the interval: where few groups differ, the plain standard error is near 0.
        min_detectable_effect=reach * (high - low) / 2,
    )
    return decided(sums.item.name, metric)


def _tail(groups: int) -> tuple[float, float]:
    """The share of resamples outside each end of the interval; the detectable difference, in half intervals."""
    free = groups - 1
    quantile = stdtrit(free, (1 + LEVEL) / 2)
    return float(ndtr(-np.sqrt((groups + 1) / free) * quantile)), float((quantile + stdtrit(free, POWER)) / quantile)


def _farthest(sums: _Sums) -> float:
    """How far from the mean difference the group lies that was not seen, in the metric's unit.

    Where all groups differ, half as far as the farthest of them (simulated, 95% intervals then cover the truth in 95%
    or more; at its full distance they are half as wide again as they need be); the more are alike, the less is known
    of those that are not, up to its full distance. Where a handful differs, as far as the metric goes: 1 for a share,
    for a loss what lies between its lowest and highest group.
    """
    base, tuned, size = sums.columns
    gaps = tuned - base
    far = float(np.abs(gaps - sums.figures["difference"] * size).max() / size.mean())
    differing = int(np.count_nonzero(gaps))
    if differing >= FEW or 2 * differing >= sums.groups:
        return far * (1 - differing / sums.groups / 2)
    span = float(np.ptp(sums.columns[:2] / size)) if sums.item.name in UNBOUNDED else 1.0
    usual = float(np.square(size).sum() / size.sum() / size.mean())  # the group in which a question lies, to the mean
    return max(far, span * usual)


def _p(sums: _Sums, swapped: Array) -> float:
    """Two-sided; `swapped`: gaps of the drawn swaps, which count where too many groups differ to count all swaps."""
    gaps = sums.columns[1] - sums.columns[0]
    differing = gaps[gaps != 0]
    exact = len(differing) <= EXACT
    if exact:
        ways = np.arange(2 ** len(differing))[:, None] >> np.arange(len(differing)) & 1
        swapped = ways @ differing
    total = float(gaps.sum())
    # A tolerance, or sums that are equal in exact arithmetic would count as more extreme or not by rounding.
    extreme = int((np.abs(total - 2 * swapped) >= abs(total) - 1e-12 * max(1.0, float(np.abs(gaps).sum()))).sum())
    return extreme / len(swapped) if exact else (extreme + 1) / (len(swapped) + 1)


def _drawn(groups: int, columns: Array, seed: int) -> tuple[_Drawn, Array]:
    """Of k metrics (k × 3 × groups): what the bootstrap drew, and the gaps of the groups swapped (draws × k)."""
    random = np.random.default_rng(seed)
    gaps, sizes = (columns[:, 1] - columns[:, 0]).T, columns[:, 2].T
    parts: list[tuple[Array, Array, Array]] = []
    for rows in _pieces(groups):
        weights = random.standard_exponential((rows, groups + 1))
        seen = weights[:, :groups]
        parts.append((seen @ gaps, seen @ sizes, weights[:, groups]))
    drawn = _Drawn(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    swapped = [random.integers(0, 2, size=(rows, groups)).astype(np.float64) @ gaps for rows in _pieces(groups)]
    return drawn, np.concatenate(swapped)


def _pieces(groups: int) -> Iterator[int]:
    """Resamples at a time."""
    most = max(1, CELLS // groups)
    for done in range(0, RESAMPLES, most):
        yield min(most, RESAMPLES - done)
