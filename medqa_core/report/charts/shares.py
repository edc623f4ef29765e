"""Shares of one whole for both models: a bar a model and kind, the base model's hollow, the fine-tuned one's filled."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from medqa_core.foundation.format import capital, percent
from medqa_core.report.charts.figure import figure, plain
from medqa_core.report.charts.palette import LIGHT, Palette, faint
from medqa_core.report.names import MODELS
from medqa_core.runs.schema.evaluation import Variant


def shares_figure(
    kinds: Sequence[str],
    variants: Mapping[Variant, Sequence[float]],
    *,
    y: str,
    level: tuple[float, str] | None = None,
    reference: tuple[Sequence[float], str] | None = None,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Grouped bars.

    Args:
        kinds: what the bars are of, from left to right.
        variants: shares by variant.
        y: the axis title.
        level: a dotted line across, with its name.
        reference: one more share for each kind, what the variants are measured against, with its name.
        palette: the colours.
    """
    chart = figure(280, x="", y=y, palette=palette)
    labels = [plain(capital(kind)) for kind in kinds]
    looks = {"base": (palette.base, "rgba(0,0,0,0)"), "fine_tuned": (palette.tuned, palette.tuned)}
    for variant, values in variants.items():
        colour, fill = looks[variant]
        chart.add_bar(
            x=labels,
            y=np.array(values),
            name=MODELS[variant],
            marker={"color": fill, "line": {"color": colour, "width": 2}},
            text=[percent(value) for value in values] if reference is None else None,
            textposition="outside",
            textfont={"color": colour, "size": 12},
            textangle=0,
            constraintext="none",
            cliponaxis=False,
            hovertemplate=f"{MODELS[variant]}, %{{x}}: %{{y:.2%}}<extra></extra>",
        )
    if reference is not None:
        chart.add_bar(
            x=labels,
            y=np.array(reference[0]),
            name=reference[1],
            marker={"color": faint(palette.muted, 0.45), "line": {"width": 0}},
            hovertemplate=f"{reference[1]}, %{{x}}: %{{y:.2%}}<extra></extra>",
        )
    drawn = [*variants.values(), reference[0] if reference else ()]
    highest = max((value for values in drawn for value in values), default=1.0)
    if level is not None:
        chart.add_hline(y=level[0], line={"color": palette.muted, "width": 1, "dash": "dot"})
        chart.add_annotation(
            x=1,
            xref="paper",
            y=level[0],
            text=level[1],
            showarrow=False,
            xanchor="left",
            xshift=6,
            font={"color": palette.muted, "size": 12},
        )
        chart.update_layout(margin={"r": 90})
    chart.update_yaxes(tickformat=".0%", range=[0, highest * 1.15])
    chart.update_xaxes(tickfont={"color": palette.text, "size": 13}, ticks="")
    chart.update_layout(showlegend=True, bargap=0.35, bargroupgap=0.12, margin={"t": 40}, barmode="group")
    return chart
