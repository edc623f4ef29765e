"""Loss curves: how did training go?"""

import streamlit as st

from medqa_core.report.charts.loss import View, curve_frame, loss_figure
from medqa_core.report.charts.loss_words import told
from medqa_core.report.charts.run_curve import RunCurve
from medqa_core.runs.snapshot import RunSnapshot
from medqa_core.runs.store.search import offered
from pages.loss_curves.other_curves import other_curves, series_curves
from pages.shared import charts, live, notices, run_picker, theme
from pages.shared.loss_section import no_curve
from pages.shared.markup import answer
from pages.shared.store import other_runs

run = run_picker.opened()


def curves(snapshot: RunSnapshot) -> None:
    """The sentence, the loss, and below it the controls and the other two curves."""
    curve = RunCurve.of(snapshot)
    if curve.metrics_log.empty:
        no_curve(snapshot)
        notices.problems(snapshot.problems)
        return
    answer(told(curve))
    figure = charts.place("loss")
    view, others = controls()
    shown = [curve, *others]
    with figure:
        caption = (
            "Training loss: each logged value faint, smoothed on top. Validation loss: the line with points. "
            "In the sentence, training loss is the mean of the first and of the last tenth of the logged values."
            if len(shown) == 1
            else "Thin: training, smoothed. Thick: validation. Runs on different data or tokenizers do not compare."
        )
        charts.show(loss_figure(shown, view, theme.palette()), key="loss", alt=told(curve), caption=caption)
    other_curves(curve, view.axis)
    series_curves(snapshot)
    charts.download("Download the rows as CSV", lambda: curve_frame(shown), f"{run.id}-curves.csv", key="csv")
    notices.problems(snapshot.problems)


def controls() -> tuple[View, list[RunCurve]]:
    """How to look at it; every choice is in the address."""
    others = other_runs(run, keep=run_picker.asked_for("with"))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        axis = st.segmented_control(
            "Over", ["step", "epoch"], default="step", required=True, key="over", bind="query-params", width="content"
        )
        smoothing = st.slider("Smoothing", 0.0, 0.95, 0.6, 0.05, key="smooth", bind="query-params", width=220)
        log = st.toggle("Log scale", key="log", bind="query-params")
        with_runs = st.multiselect(
            "Overlay runs",
            offered(others, keep=run_picker.chosen("with", others)),
            max_selections=5,
            key="with",
            bind="query-params",
            placeholder="none",
            select_all=False,
        )
    view = View("epoch" if axis == "epoch" else "step", smoothing, log)
    return view, [RunCurve.of(other.snapshot()) for other in run_picker.open_all(with_runs)]


live.follow(run, curves)
