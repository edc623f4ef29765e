"""What the loss curve shows: each trend is tested, so that the same values in random order say nothing."""

from collections.abc import Iterator

import numpy as np

from medqa_core.foundation.format import general, number, p_value, plural, signed
from medqa_core.report.facts import Facts, Points
from medqa_core.report.rules.insight import Insight
from medqa_core.report.statistics.trends import below, differs, falling, rising, tenths
from medqa_core.runs.metrics_log.log import Curve

FEWEST = 4
"""Fewer values than this cannot show a trend at p < 0.05."""
STILL_FALLING = 0.02
"""Nats per token by which a loss has to fall over its last quarter to be still falling: a difference that matters."""


def non_finite(facts: Facts) -> Iterator[Insight]:
    """The loss was NaN or infinite at some step."""
    for split, curve in (("training", facts.metrics_log.train), ("validation", facts.metrics_log.validation)):
        steps = curve.non_finite_steps
        if steps:
            yield Insight(
                "non_finite",
                f"The {split} loss was not a number (NaN or infinite) at {plural(len(steps), 'logged step')}, "
                f"first at step {steps[0]:,}.",
                tuple(f"metrics.jsonl, {split}, step {step:,}: loss not finite" for step in steps[:5]),
                f"{len(steps):,} of {plural(len(curve), 'row')}",
                "every logged loss was a finite number",
            )


def validation_trend(facts: Facts) -> Iterator[Insight]:
    """Validation loss: fell to the end, fell and rose, rose, fell and levelled, or shows no falling trend."""
    points, train = Points.of(facts.metrics_log.validation), Points.of(facts.metrics_log.train)
    if len(points) < FEWEST or _ended_without_a_number(facts.metrics_log.validation):
        return
    found = (
        overfitting(points, train)
        or kept_falling(points)
        or rose_throughout(points)
        or fell(points)
        or did_not_fall(points)
    )
    if found:
        yield found


def _ended_without_a_number(curve: Curve) -> bool:
    """Whether the last logged loss was NaN or infinite: then what came before it is no trend of the run."""
    bad, points = curve.non_finite_steps, Points.of(curve)
    return bool(bad) and (not len(points) or max(bad) > points.step(len(points) - 1))


def _rose(train: Points, after: int) -> bool:
    """Whether the training losses after a step show a rising trend."""
    return rising(train.losses[train.steps > after]).holds


def overfitting(points: Points, train: Points) -> Insight | None:
    """The lowest validation loss is followed by a rise that a test can tell from chance.

    The lowest value is picked by looking, so it takes no part in the test of what follows it. Where the training loss
    rises too, the model does not overfit: training falls apart.
    """
    best, losses = points.best, points.losses
    after = losses[best + 1 :]
    rise = rising(after)
    if len(after) < FEWEST or not rise.holds or losses[-1] <= losses[best]:
        return None
    before = losses[: best + 1]
    if best and not (falling(before[:-1]).holds if best >= FEWEST else bool(np.all(np.diff(before) < 0))):
        return None
    start = f"fell from {losses[0]:.4f} to {losses[best]:.4f} at step {points.step(best):,}, then rose"
    if not best:
        start = f"rose from its first value, {losses[0]:.4f} at step {points.step(0):,},"
    epoch = points.epochs[best]
    from_epoch = f" from epoch {general(round(float(epoch), 2))} on" if np.isfinite(epoch) else ""
    diverges = _rose(train, points.step(best))
    what = f"the model overfits{from_epoch}"
    if diverges:
        what = "training loss rose with it, so training became unstable and this is no overfitting"
    return Insight(
        "unstable" if diverges else "overfitting",
        f"Validation loss {start} to {losses[-1]:.4f}: {what}.",
        (points.cite("validation", 0), points.cite("validation", best), points.cite("validation", len(points) - 1))[
            0 if best else 1 :
        ],
        f"{signed(float(losses[-1] - losses[best]), 4)} after the lowest value "
        f"(Mann-Kendall on the {len(after)} later values, {p_value(rise.p)})",
        f"the {len(after)} validation losses after step {points.step(best):,} showed no rising trend at p < 0.05",
    )


def kept_falling(points: Points) -> Insight | None:
    """The validation loss falls, and its last value is the lowest, by more than a hair in the last quarter."""
    trend = falling(points.losses)
    last = len(points) - 1
    if points.best != last or not trend.holds:
        return None
    quarter = max(1, len(points) // 4)
    late = float(points.losses[last - quarter] - points.losses[last])
    if late < STILL_FALLING:
        return Insight(
            "levelled",
            f"Validation loss fell from {points.losses[0]:.4f} to {points.losses[last]:.4f} and has levelled off: "
            f"it fell by {number(late, 4)} since step {points.step(last - quarter):,}.",
            (points.cite("validation", 0), points.cite("validation", last - quarter), points.cite("validation", last)),
            _size(points, trend.p),
            f"the loss had fallen by {STILL_FALLING} or more since step {points.step(last - quarter):,}",
        )
    return Insight(
        "kept_falling",
        f"Validation loss kept falling to the end: {points.losses[0]:.4f} at step {points.step(0):,}, "
        f"{points.losses[last]:.4f} at step {points.step(last):,}, its lowest value.",
        (points.cite("validation", 0), points.cite("validation", last - 1), points.cite("validation", last)),
        _size(points, trend.p),
        "an earlier validation loss was lower than the last, or the trend was not significant at p < 0.05",
    )


def rose_throughout(points: Points) -> Insight | None:
    """The validation loss rises, and its last value is above its first."""
    trend = rising(points.losses).either_way
    if not trend.holds or points.losses[-1] <= points.losses[0]:
        return None
    return Insight(
        "rose",
        f"Validation loss rose: {points.losses[0]:.4f} at step {points.step(0):,}, "
        f"{points.losses[-1]:.4f} at step {points.step(len(points) - 1):,}.",
        (points.cite("validation", 0), points.cite("validation", len(points) - 1)),
        _size(points, trend.p),
        "the validation losses showed no rising trend at p < 0.05",
    )


def fell(points: Points) -> Insight | None:
    """The validation loss falls, but its lowest value is not the last, and no rise after it can be told."""
    trend = falling(points.losses).either_way
    if not trend.holds or points.losses[-1] >= points.losses[0]:
        return None
    best, last = points.best, len(points) - 1
    return Insight(
        "fell",
        f"Validation loss fell from {points.losses[0]:.4f} to its lowest, {points.losses[best]:.4f} at step "
        f"{points.step(best):,}; after that it does not rise significantly.",
        (points.cite("validation", 0), points.cite("validation", best), points.cite("validation", last)),
        _size(points, trend.p),
        "the validation losses showed no falling trend at p < 0.05, or those after the lowest showed a rising one",
    )


def did_not_fall(points: Points) -> Insight | None:
    """No falling trend can be told in the validation loss."""
    trend = falling(points.losses).either_way
    if trend.holds:
        return None
    return Insight(
        "did_not_fall",
        f"The {len(points)} validation losses show no falling trend ({p_value(trend.p)}).",
        (points.cite("validation", 0), points.cite("validation", len(points) - 1)),
        _size(points, trend.p),
        "the validation losses showed a falling trend at p < 0.05",
    )


def training_fell(facts: Facts) -> Iterator[Insight]:
    """The training loss of the last tenth of the logged steps is below that of the first tenth."""
    points = Points.of(facts.metrics_log.train)
    if len(points) < 10 or _ended_without_a_number(facts.metrics_log.train):
        return
    first, last = tenths(points.losses)
    trend, ends = falling(points.losses), below(last, first)
    if not trend.holds or last.mean() >= first.mean() or (len(first) >= FEWEST and not ends.holds):
        return
    yield Insight(
        "training_fell",
        f"Training loss fell from {first.mean():.4f} (mean of the first tenth of the logged steps) to "
        f"{last.mean():.4f} (last tenth).",
        (
            f"metrics.jsonl, train, steps {points.step(0):,} to {points.step(len(first) - 1):,}: "
            f"mean {first.mean():.4f}",
            f"metrics.jsonl, train, steps {points.step(len(points) - len(last)):,} to "
            f"{points.step(len(points) - 1):,}: mean {last.mean():.4f}",
        ),
        f"{signed(float(last.mean() - first.mean()), 4)} (Mann-Kendall on {plural(len(points), 'logged step')}, "
        f"{p_value(trend.p)})",
        "the logged training losses showed no falling trend at p < 0.05",
    )


def gap(facts: Facts) -> Iterator[Insight]:
    """At the end the validation loss is not what the training loss is."""
    train, validation = Points.of(facts.metrics_log.train), Points.of(facts.metrics_log.validation)
    if len(train) < 30 or not len(validation):
        return
    last, end = tenths(train.losses)[1], float(validation.losses[-1])
    test = differs(last, end)
    if not test.holds:
        return
    difference = end - float(last.mean())
    yield Insight(
        "gap",
        f"At the end validation loss is {number(abs(difference))} {'above' if difference > 0 else 'below'} "
        "training loss.",
        (
            validation.cite("validation", len(validation) - 1),
            f"metrics.jsonl, train, last {len(last)} logged steps: mean {last.mean():.4f}",
        ),
        f"{signed(difference, 4)} nats per token ({p_value(test.p)})",
        "the last tenth of the logged training losses did not differ from the last validation loss at p < 0.05",
    )


def early_best(facts: Facts) -> Iterator[Insight]:
    """The lowest validation loss came well before the end."""
    points = Points.of(facts.metrics_log.validation)
    if len(points) < 3 or overfitting(points, Points.of(facts.metrics_log.train)):
        return
    best, last = points.best, len(points) - 1
    if last - best < 2 or points.step(best) > 0.8 * points.step(last):
        return
    yield Insight(
        "early_best",
        f"The lowest validation loss, {points.losses[best]:.4f}, came at step {points.step(best):,} of "
        f"{points.step(last):,}; none of the {last - best} later validations was lower.",
        (points.cite("validation", best), points.cite("validation", last)),
        f"{plural(last - best, 'validation')} without a lower loss",
        f"a validation after step {points.step(best):,} had a loss below {points.losses[best]:.4f}",
    )


def _size(points: Points, p: float) -> str:
    change = signed(float(points.losses[-1] - points.losses[0]), 4)
    return f"{change} from first to last (Mann-Kendall on {plural(len(points), 'validation')}, {p_value(p)})"
