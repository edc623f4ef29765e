"""The metrics' differences as inline SVG for the HTML report: no script, readable on paper and on a phone.

Each row's line is an SVG that is drawn in per cent of its width, between words that the page sets.
"""

from html import escape

from medqa_core.foundation.format import general
from medqa_core.report.charts.axes import round_values
from medqa_core.report.charts.forest import ForestRow, caption, describe, rows, scale_ends
from medqa_core.report.facts import Facts
from medqa_core.report.names import verdict_mark
from medqa_core.report.views.controls import control_views
from medqa_core.report.views.metric import whole

EDGE = 0.04
"""Share of the width at either end that stays without a label, which would be cut there."""


def forest_svg(facts: Facts) -> str:
    """The figure as HTML with SVG, or an empty string where there is nothing to draw."""
    found = rows(whole(facts), control_views(facts))
    if not found:
        return ""
    low, high = scale_ends(found)
    body = "".join(_row(row, low, high) for row in found)
    label = escape(f"{caption(found)} {describe(found)}.")
    return (
        f'<figure><div class="forest" role="img" aria-label="{label}">{body}{_axis(low, high)}</div>'
        f"<figcaption>{escape(caption(found))}</figcaption></figure>"
    )


def _row(row: ForestRow, low: float, high: float) -> str:
    kind = row.verdict if row.verdict in ("better", "worse") else "unclear"
    zero, middle = _place(0.0, low, high), _place(row.middle, low, high)
    drawn = f'<line class="zero" x1="{zero}" x2="{zero}" y1="0" y2="100%"/>'
    if row.ends:
        left, right = (_place(end, low, high) for end in row.ends)
        drawn += f'<line class="span" x1="{left}" x2="{right}" y1="50%" y2="50%"/>'
    if row.control is not None:
        square = f'<rect class="control" width="9" height="9" y="10" x="{_place(row.control, low, high)}"/>'
        drawn += f'<g transform="translate(-4.5 0)">{square}</g>'
    drawn += f'<circle cx="{middle}" cy="50%" r="5"/>'
    return (
        f'<div class="row is-{kind}"><span class="name">{escape(row.label)}</span>'
        f'<svg height="28" width="100%" aria-hidden="true">{drawn}</svg>'
        f'<span class="mark">{verdict_mark(row.verdict)}</span></div>'
    )


def _axis(low: float, high: float) -> str:
    labels = "".join(
        f'<text x="{_place(value, low, high)}" y="14" text-anchor="middle">{general(value)}%</text>'
        for value in round_values(low, high, edge=EDGE)
    )
    return (
        f'<div class="row axis"><span class="name"></span><svg height="18" width="100%" aria-hidden="true">{labels}'
        '</svg><span class="mark"></span></div>'
    )


def _place(value: float, low: float, high: float) -> str:
    return f"{(value - low) / (high - low) * 100:.2f}%"
