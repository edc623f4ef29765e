"""What the loss curve shows: each trend is tested, so that the same values in random order say nothing."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from medqa_core.foundation.format import general, number, p_value, plural, signed, words
from medqa_core.report.facts import Facts, Points
from medqa_core.report.rules.insight import Insight
from medqa_core.report.statistics.trends import below, differs, falling, rising, tenths
from medqa_core.runs.artifacts.series import SERIES
from medqa_core.runs.metrics_log.log import Curve

ABOUT = ("rewards/margins", "rewards/accuracies", "margin", "reward", "kl", "objective/kl")
"""What preference and policy training are about, as trainers call it."""
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
    if facts.training is None and not _ended_without_a_number(facts.metrics_log.validation):
        yield from _trend(points, train)


def evaluation_sets(facts: Facts) -> Iterator[Insight]:
    """The trend on each of several evaluation sets, by its name: what improves on one may get worse on another."""
    train = Points.of(facts.metrics_log.train)
    for series in facts.series:
        if series.is_set_loss and facts.training is None:
            yield from _trend(Points.of_series(series), train)


def kind_of_training(facts: Facts) -> Iterator[Insight]:
    """A training whose loss is not the one that the other rules are about, with what it is about instead."""
    if facts.training is None:
        return
    about = {
        "preference": "preference training: its loss compares chosen with rejected answers",
        "policy": "policy training: its loss is that of a step of the policy",
    }[facts.training]
    drawn = [(series, *series.arrays) for series in facts.series if series.name in ABOUT and series.split == "train"]
    moved = [
        f"{words(series.name, 40)} {number(float(values[0]))} at step {int(steps[0]):,} and "
        f"{number(float(values[-1]))} at step {int(steps[-1]):,}"
        for series, steps, values in drawn
        if len(values) > 1
    ]
    told = f" Logged: {'; '.join(moved)}." if moved else ""
    yield Insight(
        "kind_of_training",
        f"This is {about}, so it does not tell whether the model learnt to predict answers.{told}",
        ("run.json, imported.training: " + facts.training, *(f"{SERIES}: {series.label}" for series, *_ in drawn)),
        plural(len(facts.series), "series", "series"),
        "the source had logged a supervised training",
    )


def _trend(points: Points, train: Points) -> Iterator[Insight]:
    if len(points) < FEWEST:
        return
    found = (
        overfitting(points, train)
        or kept_falling(points)
        or rose_throughout(points)
        or fell(points)
        or did_not_fall(points)
    )
    if found:
        yield replace(found, subject=points.of_set or "")


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
        f"{points.called} {start} to {losses[-1]:.4f}: {what}.",
        (points.cite(0), points.cite(best), points.cite(len(points) - 1))[0 if best else 1 :],
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
            f"{points.called} fell from {points.losses[0]:.4f} to {points.losses[last]:.4f} and has levelled off: "
            f"it fell by {number(late, 4)} since step {points.step(last - quarter):,}.",
            (points.cite(0), points.cite(last - quarter), points.cite(last)),
            _size(points, trend.p),
            f"the loss had fallen by {STILL_FALLING} or more since step {points.step(last - quarter):,}",
        )
    return Insight(
        "kept_falling",
        f"{points.called} kept falling to the end: {points.losses[0]:.4f} at step {points.step(0):,}, "
        f"{points.losses[last]:.4f} at step {points.step(last):,}, its lowest value.",
        (points.cite(0), points.cite(last - 1), points.cite(last)),
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
        f"{points.called} rose: {points.losses[0]:.4f} at step {points.step(0):,}, "
        f"{points.losses[-1]:.4f} at step {points.step(len(points) - 1):,}.",
        (points.cite(0), points.cite(len(points) - 1)),
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
        f"{points.called} fell from {points.losses[0]:.4f} to its lowest, {points.losses[best]:.4f} at step "
        f"{points.step(best):,}; after that it does not rise significantly.",
        (points.cite(0), points.cite(best), points.cite(last)),
        _size(points, trend.p),
        "the validation losses showed no falling trend at p < 0.05, or those after the lowest showed a rising one",
    )


def did_not_fall(points: Points) -> Insight | None:
    """No falling trend can be told in the validation loss."""
    trend = falling(points.losses).either_way
    if trend.holds:
        return None
    on = f" on {words(points.of_set, 60)}" if points.of_set else ""
    return Insight(
        "did_not_fall",
        f"The {len(points)} validation losses{on} show no falling trend ({p_value(trend.p)}).",
        (points.cite(0), points.cite(len(points) - 1)),
        _size(points, trend.p),
        "the validation losses showed a falling trend at p < 0.05",
    )


def training_fell(facts: Facts) -> Iterator[Insight]:
    """The training loss of the last tenth of the logged steps is below that of the first tenth."""
    if facts.training is not None:
        return
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
    if facts.training is not None:
        return
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
            validation.cite(len(validation) - 1),
            f"metrics.jsonl, train, last {len(last)} logged steps: mean {last.mean():.4f}",
        ),
        f"{signed(difference, 4)} nats per token ({p_value(test.p)})",
        "the last tenth of the logged training losses did not differ from the last validation loss at p < 0.05",
    )


def early_best(facts: Facts) -> Iterator[Insight]:
    """The lowest validation loss came well before the end."""
    if facts.training is not None:
        return
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
        (points.cite(best), points.cite(last)),
        f"{plural(last - best, 'validation')} without a lower loss",
        f"a validation after step {points.step(best):,} had a loss below {points.losses[best]:.4f}",
    )


def _size(points: Points, p: float) -> str:
    change = signed(float(points.losses[-1] - points.losses[0]), 4)
    return f"{change} from first to last (Mann-Kendall on {plural(len(points), 'validation')}, {p_value(p)})"
