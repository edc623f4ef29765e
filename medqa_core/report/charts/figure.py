"""An empty figure in the house style, and how its lines are labelled."""

import math

import plotly.graph_objects as go

from medqa_core.report.charts.palette import FONT, LIGHT, Palette, faint

Figure = go.Figure
"""What all builders return."""
LABEL_GAP = 15
"""Pixels from one line's name to the next."""


def figure(height: int, *, x: str, y: str, log: bool = False, palette: Palette = LIGHT) -> go.Figure:
    """An empty figure of `height` pixels; `x` and `y` are axis titles with their units."""
    result = go.Figure(layout={"template": template(palette), "height": height})
    result.update_xaxes(title_text=x)
    result.update_yaxes(title_text=y)
    if log:
        result.update_yaxes(type="log")
    return result


def template(p: Palette) -> go.layout.Template:
    """The one Plotly template: little ink, light grid, units left to the axis titles."""
    axis = {
        "gridcolor": p.rule,
        "gridwidth": 1,
        "linecolor": p.rule,
        "zeroline": False,
        "tickfont": {"color": p.muted, "size": 12},
        "title": {"font": {"color": p.muted, "size": 12}, "standoff": 8},
        "automargin": True,
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "color": p.text, "size": 13},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(p.runs),
            "xaxis": {**axis, "showgrid": False, "ticks": "outside", "ticklen": 4, "tickcolor": p.rule},
            "yaxis": axis,
            "margin": {"l": 8, "r": 8, "t": 12, "b": 8},
            "hoverlabel": {
                "bgcolor": p.panel,
                "bordercolor": p.rule,
                "font": {"family": FONT, "color": p.text, "size": 13},
                "align": "left",
            },
            "showlegend": False,
            "dragmode": False,
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"color": p.muted}},
        }
    )


def end_label(
    chart: go.Figure,
    text: str,
    x: float,
    y: float,
    colour: str,
    *,
    log: bool = False,
    shift: int = 0,
    palette: Palette = LIGHT,
) -> None:
    """A line's name at its end, in place of a legend; `shift` moves it up by so many pixels."""
    chart.add_annotation(
        x=x,
        y=math.log10(y) if log and y > 0 else y,
        text=plain(text),
        showarrow=False,
        xanchor="left",
        xshift=8,
        yshift=shift,
        bgcolor=faint(palette.paper, 0.8),
        borderpad=1,
        font={"color": colour, "size": 12},
    )


def plain(text: str) -> str:
    """`text` for a Plotly label, which reads a few HTML tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def label_shifts(values: list[float], low: float, high: float, height: int) -> list[int]:
    """Shifts in pixels that keep labels at these heights from overlapping; `height` is the plot's."""
    span = (high - low) or 1.0
    order = sorted(range(len(values)), key=lambda i: values[i])
    shifts, last = [0] * len(values), -math.inf
    for place in order:
        wanted = (values[place] - low) / span * height
        shifts[place] = round(max(wanted, last + LABEL_GAP) - wanted)
        last = wanted + shifts[place]
    return shifts
