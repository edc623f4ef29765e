"""The curves beside the loss: learning rate, gradient norm, and what an imported run's source logged otherwise."""

from collections.abc import Callable

import streamlit as st

from medqa_core.report.charts.lines import line
from medqa_core.report.charts.loss import Axis, column_figure, series_figure
from medqa_core.report.charts.loss_words import gradient_norm, learning_rate
from medqa_core.report.charts.run_curve import RunCurve
from medqa_core.runs.artifacts.series import DRAWN
from medqa_core.runs.metrics_log.log import Curve
from medqa_core.runs.snapshot import RunSnapshot
from pages.shared import charts, theme

OTHER: dict[str, tuple[str, Callable[[Curve], str]]] = {
    "learning_rate": ("learning rate", learning_rate),
    "grad_norm": ("gradient norm", gradient_norm),
}
"""Columns of the log beside the loss: the axis title, and what makes the caption."""
MOST_AT_ONCE = 4


def other_curves(curve: RunCurve, axis: Axis) -> None:
    """Learning rate and gradient norm side by side, as far as the run logged them."""
    train = curve.metrics_log.train
    there = [column for column in OTHER if len(line(train, column))]
    if not there:
        return
    for place, column in zip(st.columns(len(there), gap="medium"), there, strict=True):
        title, words = OTHER[column]
        caption = words(train)
        chart = column_figure(curve, column, title, axis, theme.palette())
        with place:
            charts.show(chart, key=f"chart-{column}", alt=caption, caption=caption)


def series_curves(snapshot: RunSnapshot) -> None:
    """What else was logged, drawn on request; of preference and policy training what they are about, at once."""
    there = {one.label: one for one in snapshot.series if not one.is_set_loss}
    if not there:
        return
    training = snapshot.record.imported.training if snapshot.record.imported else None
    default = [label for label, one in there.items() if training and one.name in DRAWN[training]][:MOST_AT_ONCE]
    chosen = st.multiselect(
        "Also logged", list(there), default=default, key="series", placeholder="choose what to draw", select_all=False
    )
    for start in range(0, len(chosen), 2):
        for place, label in zip(st.columns(2, gap="medium"), chosen[start : start + 2], strict=False):
            steps, values = there[label].arrays
            if not len(values):
                continue
            caption = (
                f"{label}: {values[0]:.4g} at step {int(steps[0]):,}, {values[-1]:.4g} at step {int(steps[-1]):,}."
            )
            with place:
                charts.show(
                    series_figure(there[label], theme.palette()), key=f"series-{label}", alt=caption, caption=caption
                )
