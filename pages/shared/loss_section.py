"""The loss curve as pages show it: small on the summary, and what stands in its place where there is none."""

from medqa_core.report.charts.loss import View, loss_figure
from medqa_core.report.charts.loss_words import told
from medqa_core.report.charts.run_curve import RunCurve
from medqa_core.report.facts import Facts
from medqa_core.runs.snapshot import RunSnapshot
from pages.shared import charts, notices, theme
from pages.shared.to_import import to_import


def small_curve(facts: Facts) -> None:
    """The summary's curve; where there is none, why not."""
    curve = RunCurve.of(facts.snapshot)
    if curve.metrics_log.empty:
        no_curve(facts.snapshot)
        return
    caption = told(curve)
    chart = loss_figure([curve], View(height=270), theme.palette())
    charts.show(chart, key="small-curve", alt=caption, caption=caption)


def no_curve(snapshot: RunSnapshot) -> None:
    """Why this run has no curve and what would change that."""
    if snapshot.imported:
        notices.notice(
            "This run has no loss curve.",
            "Its source gives final figures only. If you have the Trainer's output folder, its trainer_state.json "
            "holds the curve.",
        )
        to_import()
    elif snapshot.in_progress:
        notices.notice("No loss has been logged yet.", "The first point appears within a few steps.")
    else:
        why = "is missing" if snapshot.metrics_log.missing else "holds no loss"
        notices.notice("This run has no loss curve.", f"Its metrics.jsonl {why}.")
