"""The curves beside the loss: learning rate and gradient norm."""

from collections.abc import Callable

import streamlit as st

from medqa_core.report.charts.lines import line
from medqa_core.report.charts.loss import Axis, RunCurve, column_figure
from medqa_core.report.charts.loss_words import gradient_norm, learning_rate
from medqa_core.runs.metrics_log.log import Curve
from pages.shared import charts, theme

OTHER: dict[str, tuple[str, Callable[[Curve], str]]] = {
    "learning_rate": ("learning rate", learning_rate),
    "grad_norm": ("gradient norm", gradient_norm),
}
"""Columns of the log beside the loss: the axis title, and what makes the caption."""


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
