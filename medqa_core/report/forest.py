"""The metrics' differences on one scale: each with its interval, in per cent of the base model's value.

Each row's line is an SVG that is drawn in per cent of its width, between words that the page sets: so the same
figure is readable on paper, on a wide screen and on a phone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from medqa_core.foundation.format import general, signed
from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS, verdict_mark, verdict_word
from medqa_core.report.views.metric import MetricView, whole
from medqa_core.report.wording.metric import change_text

MOST = 1000.0
"""Per cent at which a line is cut: a base value near zero would press all others together."""
CAPTION = (
    "Change against the base model in per cent of its value, with its interval; right of the line at zero is better, "
    "and an interval that crosses zero is inconclusive."
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


def rows(metrics: Mapping[str, MetricView]) -> list[ForestRow]:
    """The metrics that can be drawn, in the order of METRICS: compared, and with a base value to take a share of."""
    found = []
    for name in METRICS:
        if (metric := metrics.get(name)) is None:
            continue
        values = (metric.difference, *(metric.interval or ()))
        if not metric.base or any(v is None or not math.isfinite(v) for v in values):
            continue
        scale = (-100.0 if metric.spec.lower_is_better else 100.0) / abs(metric.base)
        ends = sorted(_cut(bound * scale) for bound in metric.interval) if metric.interval else None
        found.append(
            ForestRow(
                name,
                metric.label,
                _cut((metric.difference or 0.0) * scale),
                (ends[0], ends[1]) if ends else None,
                metric.verdict,
                change_text(metric),
            )
        )
    return found


def reach(found: list[ForestRow]) -> tuple[float, float]:
    """The ends of the scale: all intervals and zero, with some room."""
    values = [0.0, *(v for row in found for v in (row.middle, *(row.ends or ())))]
    pad = 0.06 * (max(values) - min(values) or 1.0)
    return min(values) - pad, max(values) + pad


def describe(found: list[ForestRow]) -> str:
    """The figure in words."""
    said = (f"{row.label} {row.change}, {signed(row.middle, 1)}% ({verdict_word(row.verdict)})" for row in found)
    return "; ".join(said)


def forest(facts: Facts) -> str:
    """The figure as HTML with SVG, or an empty string where there is nothing to draw."""
    found = rows(whole(facts))
    if not found:
        return ""
    low, high = reach(found)
    body = "".join(_row(row, low, high) for row in found)
    label = escape(f"{CAPTION} {describe(found)}.")
    return (
        f'<figure><div class="forest" role="img" aria-label="{label}">{body}{_axis(low, high)}</div>'
        f"<figcaption>{escape(CAPTION)}</figcaption></figure>"
    )


def _row(row: ForestRow, low: float, high: float) -> str:
    kind = row.verdict if row.verdict in ("better", "worse") else "unclear"
    zero, middle = _place(0.0, low, high), _place(row.middle, low, high)
    drawn = f'<line class="zero" x1="{zero}" x2="{zero}" y1="0" y2="100%"/>'
    if row.ends:
        left, right = (_place(end, low, high) for end in row.ends)
        drawn += f'<line class="span" x1="{left}" x2="{right}" y1="50%" y2="50%"/>'
    drawn += f'<circle cx="{middle}" cy="50%" r="5"/>'
    return (
        f'<div class="row is-{kind}"><span class="name">{escape(row.label)}</span>'
        f'<svg height="28" width="100%" aria-hidden="true">{drawn}</svg>'
        f'<span class="mark">{verdict_mark(row.verdict)}</span></div>'
    )


def _axis(low: float, high: float) -> str:
    labels = "".join(
        f'<text x="{_place(v, low, high)}" y="14" text-anchor="middle">{general(v)}%</text>' for v in _ticks(low, high)
    )
    return (
        f'<div class="row axis"><span class="name"></span><svg height="18" width="100%" aria-hidden="true">{labels}'
        '</svg><span class="mark"></span></div>'
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round values between the ends, zero among them, few enough for a phone."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    edge = 0.04 * (high - low)  # a label at the very end would be cut
    places = range(math.ceil((low + edge) / step), math.floor((high - edge) / step) + 1)
    return [round(i * step, 9) for i in places]


def _place(value: float, low: float, high: float) -> str:
    return f"{(value - low) / (high - low) * 100:.2f}%"


def _cut(value: float) -> float:
    return max(-MOST, min(MOST, value))
