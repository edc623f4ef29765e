"""The metrics' differences on one scale: each with its interval, in per cent of the base model's value.

What both forms of the figure show: the one of the pages (`metrics.forest_figure`) and that of the HTML report
(`forest_svg`).
"""

import math
from dataclasses import dataclass

from medqa_core.foundation.format import signed
from medqa_core.report.verdict import METRICS, change_text, supported
from medqa_core.runs.schema.evaluation import LOWER_IS_BETTER, Metric

MOST = 1000.0
"""Per cent at which a line is cut: a base value near zero would press all others together."""
CAPTION = (
    "Change against the base model in per cent of its value, with its interval; right of zero is better, and an "
    "interval that crosses zero is inconclusive."
)


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


def rows(metrics: dict[str, Metric]) -> list[ForestRow]:
    """The metrics that can be drawn, in the order of METRICS: compared, and with a base value to take a share of."""
    found = []
    for name in METRICS:
        if (metric := metrics.get(name)) is None:
            continue
        values = (metric.difference, *(metric.ci or ()))
        if not metric.base or any(v is None or not math.isfinite(v) for v in values):
            continue
        scale = (-100.0 if name in LOWER_IS_BETTER else 100.0) / abs(metric.base)
        ends = sorted(_cut(bound * scale) for bound in metric.ci) if metric.ci else None
        found.append(
            ForestRow(
                name,
                METRICS[name].label,
                _cut((metric.difference or 0.0) * scale),
                (ends[0], ends[1]) if ends else None,
                supported(name, metric),
                change_text(name, metric),
            )
        )
    return found


def scale_ends(found: list[ForestRow]) -> tuple[float, float]:
    """The ends of the scale: all intervals and zero, with some room."""
    values = [0.0, *(v for row in found for v in (row.middle, *(row.ends or ())))]
    pad = 0.06 * (max(values) - min(values) or 1.0)
    return min(values) - pad, max(values) + pad


def describe(found: list[ForestRow]) -> str:
    """The figure in words."""
    told = (f"{row.label} {row.change}, {signed(row.middle, 1)}% ({row.verdict})" for row in found)
    return "; ".join(told)


def _cut(value: float) -> float:
    return max(-MOST, min(MOST, value))
