"""The metrics' differences on one scale: each with its interval, in per cent of the base model's value.

What both forms of the figure show: the one of the pages (`metrics.forest_figure`) and that of the HTML report
(`forest_svg`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from medqa_core.foundation.format import signed
from medqa_core.report.names import METRICS, verdict_word
from medqa_core.report.views.controls import ControlView, best_control
from medqa_core.report.views.metric import MetricView
from medqa_core.report.wording.metric import change_text, value_text

MOST = 1000.0
"""Per cent at which a line is cut: a base value near zero would press all others together."""
CAPTION = (
    "Change against the base model in per cent of its value, with its interval; right of zero is better, and an "
    "interval that crosses zero is inconclusive."
)
CONTROLS_CAPTION = "Hollow squares: the best answer without a model."


@dataclass(frozen=True)
class ForestRow:
    """One metric's difference, turned so that more is better."""

    name: str
    label: str
    middle: float
    ends: tuple[float, float] | None
    verdict: str
    change: str
    """The difference as it was measured, with its interval and sign."""
    control: float | None = None
    """Where the best control lies on the same scale; None where the metric has none."""
    control_text: str = ""
    """Which control that is, and its value."""


def rows(metrics: Mapping[str, MetricView], controls: tuple[ControlView, ...] = ()) -> list[ForestRow]:
    """The metrics that can be drawn, in the order of METRICS: compared, and with a base value to take a share of.

    Args:
        controls: those of the same questions; the best of them on each metric stands on its line.
    """
    found = []
    for name in METRICS:
        if (metric := metrics.get(name)) is None:
            continue
        values = (metric.difference, *(metric.interval or ()))
        if not metric.base or any(v is None or not math.isfinite(v) for v in values):
            continue
        scale = (-100.0 if metric.spec.lower_is_better else 100.0) / abs(metric.base)
        best = best_control(controls, name)
        ends = sorted(_cut(bound * scale) for bound in metric.interval) if metric.interval else None
        found.append(
            ForestRow(
                name,
                metric.label,
                _cut((metric.difference or 0.0) * scale),
                (ends[0], ends[1]) if ends else None,
                metric.verdict,
                change_text(metric),
                None if best is None else _cut((best.values[name] - metric.base) * scale),
                "" if best is None else f"{best.label} {value_text(name, best.values[name])}",
            )
        )
    return found


def scale_ends(found: list[ForestRow]) -> tuple[float, float]:
    """The ends of the scale: all intervals and zero, with some room."""
    values = [0.0, *(v for row in found for v in (row.middle, *(row.ends or ()), *_known(row.control)))]
    pad = 0.06 * (max(values) - min(values) or 1.0)
    return min(values) - pad, max(values) + pad


def describe(found: list[ForestRow]) -> str:
    """The figure in words."""
    return "; ".join(
        f"{row.label} {row.change}, {signed(row.middle, 1)}% ({verdict_word(row.verdict)}"
        + (f"; {row.control_text}, {signed(row.control, 1)}%)" if row.control is not None else ")")
        for row in found
    )


def caption(found: list[ForestRow]) -> str:
    """What the figure shows, and the controls where it shows any."""
    return f"{CAPTION} {CONTROLS_CAPTION}" if any(row.control is not None for row in found) else CAPTION


def _known(value: float | None) -> tuple[float, ...]:
    return () if value is None else (value,)


def _cut(value: float) -> float:
    return max(-MOST, min(MOST, value))
