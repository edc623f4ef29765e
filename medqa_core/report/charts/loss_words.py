"""The curves of a run in words: the sentence that answers how training went, and what stands in for a figure."""

import numpy as np

from medqa_core.foundation.format import capital, count, number, plural, words
from medqa_core.report.charts.lines import Line, line
from medqa_core.report.charts.run_curve import RunCurve
from medqa_core.report.statistics.trends import tenths
from medqa_core.runs.metrics_log.log import Curve, MetricsLog
from medqa_core.runs.schema.record import TrainingKind

NEAR_ZERO = 1e-3
"""Share of the largest learning rate below which the last one counts as near 0."""


def axis_title(training: TrainingKind | None) -> str:
    """What a loss axis shows, with its unit; `training`: one whose loss is not that of predicting answers."""
    return "loss (nats per token)" if training is None else f"loss of {training} training"


def sentence(log: MetricsLog) -> str:
    """From where to where the loss went, over how many steps, with the lowest validation loss."""
    train, validation = line(log.train, "loss"), line(log.validation, "loss")
    parts = [_training(train)] if len(train) else []
    if len(validation):
        text = _lowest(validation)
        parts.append(text if parts else capital(text))
    bad = len(log.train.non_finite_steps) + len(log.validation.non_finite_steps)
    text = "; ".join(parts) + "." if parts else "No finite loss was logged."
    return text + (f" At {plural(bad, 'logged step')} the loss was not a number." if bad else "")


def told(curve: RunCurve) -> str:
    """The sentence of a run's curve, its several evaluation sets and its kind of training included."""
    if curve.training is not None:
        return (
            f"{capital(curve.training)} training: its loss does not say how well the model predicts answers. "
            f"{sentence(curve.metrics_log)}"
        )
    parts = []
    for one in curve.sets:
        losses = one.arrays[1]
        if len(losses):
            ends = (number(float(losses[0])), number(float(losses[-1])))
            parts.append(f"validation loss on {words(one.evaluation_set, 40)} went from {ends[0]} to {ends[1]}")
    if not parts:
        return sentence(curve.metrics_log)
    train = line(curve.metrics_log.train, "loss")
    return capital("; ".join([*([_training(train)] if len(train) else []), *parts])) + "."


def describe(log: MetricsLog) -> str:
    """The values of both curves, where they cannot be seen: how many, first, lowest and last."""
    told = []
    for name, points in (("Training", line(log.train, "loss")), ("Validation", line(log.validation, "loss"))):
        if len(points) == 1:
            told.append(f"{name} loss: one value, {number(float(points.y[0]))} at step {_step(points, 0)}.")
        elif len(points):
            best = int(points.y.argmin())
            told.append(
                f"{name} loss: {len(points):,} values, first {number(float(points.y[0]))} at step {_step(points, 0)}, "
                f"lowest {number(float(points.y[best]))} at step {_step(points, best)}, "
                f"last {number(float(points.y[-1]))} at step {_step(points, -1)}."
            )
    return " ".join(told)


def learning_rate(curve: Curve) -> str:
    """Where the learning rate starts, peaks and ends."""
    values = line(curve, "learning_rate").y
    first, peak, last = float(values[0]), float(values.max()), float(values[-1])
    end = "near 0" if 0 < last < NEAR_ZERO * peak else f"at {last:.3g}"
    return f"Learning rate: starts at {first:.3g}, peaks at {peak:.3g}, ends {end}."


def gradient_norm(curve: Curve) -> str:
    """The usual and the largest gradient norm."""
    values = line(curve, "grad_norm").y
    return f"Gradient norm: median {np.median(values):.3g}, at most {values.max():.3g}."


def _training(train: Line) -> str:
    if len(train) == 1:
        return f"Training loss was {number(float(train.y[0]))} at step {_step(train, 0)}"
    first, last = (float(np.mean(part)) for part in tenths(train.y))
    verb = "fell" if last < first else "rose" if last > first else "stayed"
    return f"Training loss {verb} from {number(first)} to {number(last)}"


def _lowest(validation: Line) -> str:
    best = int(np.argmin(validation.y))
    value, step = number(float(validation.y[best])), _step(validation, best)
    if len(validation) == 1:
        return f"validation loss was {value} at step {step}"
    if best == len(validation) - 1:
        return f"validation loss was lowest, {value}, at step {step}, the last one"
    return f"validation loss was lowest, {value}, at step {step}, and ended at {number(float(validation.y[-1]))}"


def _step(points: Line, place: int) -> str:
    return count(int(points.step[place]))
