"""Shares of one whole for both models: a bar a model and kind, the base model's hollow, the fine-tuned one's filled."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from medqa_core.foundation.format import capital, percent
from medqa_core.report.names import MODELS
from pages.shared import charts, theme


def shares(
    kinds: Sequence[str],
    variants: Mapping[str, Sequence[float]],
    *,
    y: str,
    level: tuple[float, str] | None = None,
    key: tuple[Sequence[float], str] | None = None,
) -> go.Figure:
    """Grouped bars.

    Args:
        kinds: what the bars are of, from left to right.
        variants: shares by variant (`base`, `fine_tuned`).
        y: the axis title.
        level: a dotted line across, with its name.
        key: one more share a kind, what the variants are measured against, with its name.
    """
    p = theme.palette()
    chart = charts.figure(280, x="", y=y)
    labels = [charts.plain(capital(kind)) for kind in kinds]
    looks = {"base": (p.base, "rgba(0,0,0,0)"), "fine_tuned": (p.tuned, p.tuned)}
    for variant, values in variants.items():
        colour, fill = looks[variant]
        chart.add_bar(
            x=labels,
            y=np.array(values),
            name=MODELS[variant],
            marker={"color": fill, "line": {"color": colour, "width": 2}},
            text=[percent(value) for value in values] if key is None else None,
            textposition="outside",
            textfont={"color": colour, "size": 12},
            textangle=0,
            constraintext="none",
            cliponaxis=False,
            hovertemplate=f"{MODELS[variant]}, %{{x}}: %{{y:.2%}}<extra></extra>",
        )
    if key is not None:
        chart.add_bar(
            x=labels,
            y=np.array(key[0]),
            name=key[1],
            marker={"color": theme.faint(p.muted, 0.45), "line": {"width": 0}},
            hovertemplate=f"{key[1]}, %{{x}}: %{{y:.2%}}<extra></extra>",
        )
    highest = max([*(v for values in variants.values() for v in values), *(key[0] if key else ())], default=1.0)
    if level is not None:
        chart.add_hline(y=level[0], line={"color": p.muted, "width": 1, "dash": "dot"})
        chart.add_annotation(
            x=1,
            xref="paper",
            y=level[0],
            text=level[1],
            showarrow=False,
            xanchor="left",
            xshift=6,
            font={"color": p.muted, "size": 12},
        )
        chart.update_layout(margin={"r": 90})
    chart.update_yaxes(tickformat=".0%", range=[0, highest * 1.15])
    chart.update_xaxes(tickfont={"color": p.text, "size": 13}, ticks="")
    chart.update_layout(showlegend=True, bargap=0.35, bargroupgap=0.12, margin={"t": 40}, barmode="group")
    return chart
