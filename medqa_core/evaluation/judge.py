"""Base against fine-tuned on the same questions: difference, confidence interval, p-value and verdict.

Questions about one topic rise and fall together, so whole groups are resampled and not single questions:

* interval: percentile bootstrap over groups (Davison and Hinkley, "Bootstrap Methods and their Application", 1997,
  sections 2.4 and 3.8), its percentiles moved outwards for few groups, as Student's t is wider than the normal curve
  (Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69, 2015, section 5.3);
* p-value: two-sided permutation test that swaps the two models' results a whole group at a time (Good, "Permutation,
  Parametric and Bootstrap Tests of Hypotheses", 2005, chapter 3), with the +1 of Phipson and Smyth (2010), so that it
  is never 0.

A metric is a ratio of two sums over questions (nats over tokens, ROUGE over questions): both are resampled together.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtrit

from medqa_core.evaluation.rule import LEVEL, POWER, decided
from medqa_core.runs.schema.evaluation import Metric

RESAMPLES = 5_000
MIN_GROUPS = 5
"""Below this many groups the bootstrap says nothing that holds."""
CELLS = 1_000_000
"""Numbers drawn at a time: bounds the memory, 16 MB, whatever the number of groups."""

Array = npt.NDArray[np.float64]
Transform = Callable[[Array], Array]


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
    transform: Transform = lambda ratio: ratio
    """From the ratio of sums to the metric, for example `exp` for perplexity."""


def judge(name: str, data: Paired, *, transform: Transform = lambda ratio: ratio, seed: int = 0) -> Metric:
    """The verdict on one metric; see `Item` and `judge_all`."""
    return judge_all([Item(name, data, transform)], seed=seed)[0]


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
        drawn = _resampled(np.stack([sums.columns for _, sums in members]), groups, seed)
        for (place, sums), totals, swapped in zip(members, *drawn, strict=True):
            judged[place] = _judged(sums, totals, swapped)
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
    name, data, transform = item
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
    with np.errstate(over="ignore"):  # exp of the loss of a model that fell apart
        base, tuned = (float(transform(columns[row].sum() / columns[2].sum())) for row in (0, 1))
    if not np.isfinite([base, tuned]).all():
        reason = "Too large to be written as a number for at least one model."
        return decided(name, Metric(n=n, groups=groups), reason=reason)
    figures: dict[str, Any] = {"base": base, "fine_tuned": tuned, "difference": tuned - base, "n": n, "groups": groups}
    if any(data.unfinished):
        return decided(name, Metric(**figures), reason=_unfinished(data))
    if groups < MIN_GROUPS:
        topics = "topic" if groups == 1 else "topics"
        reason = f"Only {groups} independent {topics}: at least {MIN_GROUPS} are needed."
        return decided(name, Metric(**figures), reason=reason)
    return _Sums(item, columns, figures)


def _unfinished(data: Paired) -> str:
    variants = zip(data.unfinished, ("the base model", "the fine-tuned model"), strict=True)
    whose = " and ".join(f"{count} of {variant}" for count, variant in variants if count)
    return (
        f"Results that are missing or not finite, {whose}: the figures are of the other {len(data.weight)} of "
        f"{data.asked} questions and prove nothing."
    )


def _judged(sums: _Sums, totals: Array, swapped: Array) -> Metric:
    """The verdict from resampled sums: `totals` (resamples × 3) and the swapped gap (resamples)."""
    name, _, transform = sums.item
    difference = sums.figures["difference"]
    base, tuned, weight = sums.columns.sum(axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        drawn = transform(totals[:, 1] / totals[:, 2]) - transform(totals[:, 0] / totals[:, 2])
        null = transform((tuned - swapped) / weight) - transform((base + swapped) / weight)
    if not np.isfinite(drawn).all():
        return decided(name, Metric(**sums.figures), reason="Too large to be resampled.")
    # A tolerance, or sums that are equal in exact arithmetic would count as more extreme or not by rounding.
    extreme = int((np.abs(null) >= abs(difference) - 1e-12 * max(1.0, abs(difference))).sum())
    free = sums.groups - 1
    wider = np.sqrt(sums.groups / free)
    tail = float(ndtr(wider * stdtrit(free, (1 - LEVEL) / 2)))
    low, high = (float(q) for q in np.quantile(drawn, [tail, 1 - tail]))
    detected = wider * (stdtrit(free, (1 + LEVEL) / 2) + stdtrit(free, POWER))
    metric = Metric(
        **sums.figures,
        ci=(low, high),
        level=LEVEL,
        p=(extreme + 1) / (len(null) + 1),
        min_detectable_effect=float(detected * drawn.std(ddof=1)),
    )
    return decided(name, metric)


def _resampled(columns: Array, groups: int, seed: int) -> tuple[Array, Array]:
    """For each of k metrics (k × 3 × groups): bootstrap totals (k × resamples × 3), swapped gaps (k × resamples)."""
    random = np.random.default_rng(seed)
    flat = columns.reshape(-1, groups).T
    gaps = (columns[:, 1] - columns[:, 0]).T
    even = np.full(groups, 1 / groups)
    totals = [random.multinomial(groups, even, size=rows).astype(np.float64) @ flat for rows in _pieces(groups)]
    swapped = [random.integers(0, 2, size=(rows, groups)).astype(np.float64) @ gaps for rows in _pieces(groups)]
    return np.concatenate(totals).reshape(RESAMPLES, -1, 3).swapaxes(0, 1), np.concatenate(swapped).T


def _pieces(groups: int) -> Iterator[int]:
    """Resamples at a time."""
    most = max(1, CELLS // groups)
    for done in range(0, RESAMPLES, most):
        yield min(most, RESAMPLES - done)
