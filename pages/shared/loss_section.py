"""The loss curve as pages show it: what it says in words, small on the summary, whole on its own page."""

import numpy as np
import streamlit as st

from medqa_core.foundation.format import capital, count, number, plural
from medqa_core.report.facts import Facts
from medqa_core.runs.snapshot import RunSnapshot
from pages.shared import charts, loss_charts, notices
from pages.shared.curves import line
from pages.shared.loss_charts import RunCurve, View


def small_curve(facts: Facts) -> None:
    """The summary's curve; where there is none, why not."""
    curve = RunCurve.of(facts.snapshot)
    if curve.metrics_log.empty:
        no_curve(facts.snapshot)
        return
    chart = loss_charts.loss([curve], View(height=270))
    charts.show(chart, key="small-curve", alt=in_words(curve), caption=in_words(curve))


def no_curve(snapshot: RunSnapshot) -> None:
    """Why this run has no curve and what would change that."""
    if snapshot.imported:
        notices.notice(
            "This run has no loss curve.",
            "Its source gives final figures only. If you have the Trainer's output folder, its trainer_state.json "
            "holds the curve:",
            command="python -m medqa_core import PATH/TO/OUTPUT_FOLDER",
        )
    elif snapshot.in_progress:
        notices.notice("No loss has been logged yet.", "The first point appears within a few steps.")
    else:
        notices.notice("This run has no loss curve.", "Its metrics.jsonl is missing or empty.")


def in_words(curve: RunCurve) -> str:
    """One computed sentence: from where to where, over how many steps, with the lowest validation loss."""
    train, validation = (line(c, "loss") for c in (curve.metrics_log.train, curve.metrics_log.validation))
    parts = []
    if len(train):
        tenth = max(1, len(train) // 10)
        first, last = float(np.mean(train.y[:tenth])), float(np.mean(train.y[-tenth:]))
        verb = "fell" if last < first else "rose" if last > first else "stayed"
        parts.append(f"Training loss {verb} from {number(first)} to {number(last)}")
    if len(validation):
        best = int(np.argmin(validation.y))
        value, step = number(float(validation.y[best])), count(int(validation.step[best]))
        text = f"validation loss was lowest, {value}, at step {step}"
        if len(validation) == 1:
            text = f"validation loss was {value} at step {step}"
        elif best == len(validation) - 1:
            text += ", the last one"
        else:
            text += f", and ended at {number(float(validation.y[-1]))}"
        parts.append(text if parts else capital(text))
    bad = len(curve.metrics_log.train.non_finite_steps) + len(curve.metrics_log.validation.non_finite_steps)
    text = "; ".join(parts) + "." if parts else "No finite loss was logged."
    return text + (f" At {plural(bad, 'logged step')} the loss was not a number." if bad else "")


def other_curves(curve: RunCurve, axis: loss_charts.Axis) -> None:
    """Learning rate and gradient norm side by side, as far as the run logged them."""
    wanted = (("learning_rate", "learning rate"), ("grad_norm", "gradient norm"))
    there = [(c, t) for c, t in wanted if len(line(curve.metrics_log.train, c))]
    if not there:
        return
    for place, (column, title) in zip(st.columns(len(there), gap="medium"), there, strict=True):
        values = line(curve.metrics_log.train, column).y
        caption = (
            f"{title.capitalize()}: from {values[0]:.3g} over at most {values.max():.3g} to {values[-1]:.3g}."
            if column == "learning_rate"
            else f"{title.capitalize()}: median {np.median(values):.3g}, at most {values.max():.3g}."
        )
        with place:
            charts.show(
                loss_charts.other(curve, column, title, axis), key=f"chart-{column}", alt=caption, caption=caption
            )
