"""How long the examples of a data set are, in tokens, and where they are truncated."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from medqa_core.foundation.format import count, percent
from medqa_core.report.charts.figure import figure
from medqa_core.report.charts.palette import LIGHT, Palette, faint

Lengths = NDArray[np.int64]
"""Tokens of each example, prompt, answer and end token: (examples,)."""

BARS = 48
HEIGHT = 250


def histogram(lengths: Lengths, max_tokens: int) -> pd.DataFrame:
    """Examples by length: `from` and `below` in tokens, `examples`; the last bar holds all that are longer, too.

    A boundary lies right above `max_tokens`, so that no bar is half cut off.
    """
    edges = _edges(lengths, max_tokens)
    found, _ = np.histogram(np.clip(lengths, edges[0], edges[-1] - 0.5), edges)
    return pd.DataFrame({"from": np.ceil(edges[:-1]), "below": np.ceil(edges[1:]), "examples": found})


def overflows(lengths: Lengths, max_tokens: int) -> bool:
    """Whether some examples are longer than the last bar reaches."""
    return bool((lengths >= _edges(lengths, max_tokens)[-1]).any())


def _edges(lengths: Lengths, max_tokens: int) -> NDArray[np.float64]:
    longest = float(np.percentile(lengths, 98)) if len(lengths) else 0.0
    reach = max(max_tokens * 1.15, longest)
    below_cut = max(1, round(BARS * max_tokens / reach))
    width = max(1.0, max_tokens / below_cut)
    return np.arange(0, min(reach, 2 * BARS * width) + width, width) + 1


def token_lengths_figure(
    lengths: Lengths, max_tokens: int, truncated_share: float, palette: Palette = LIGHT
) -> go.Figure:
    """The histogram with the cut-off line, which says what share is truncated; what is beyond it is faint."""
    bars = histogram(lengths, max_tokens)
    chart = figure(HEIGHT, x="tokens of an example, prompt and answer", y="examples", palette=palette)
    colours = [palette.muted if start <= max_tokens else faint(palette.muted, 0.45) for start in bars["from"]]
    last = len(bars) - 1 if overflows(lengths, max_tokens) else -1
    chart.add_bar(
        x=((bars["from"] + bars["below"]) / 2).to_numpy(),
        y=bars["examples"].to_numpy(),
        width=(bars["below"] - bars["from"]).to_numpy() * 0.92,
        marker={
            "color": colours,
            "line": {"width": 0},
        },
        customdata=[_range(row.iloc[0], row.iloc[1], n == last) for n, (_, row) in enumerate(bars.iterrows())],
        hovertemplate="%{customdata} tokens: %{y:,} examples<extra></extra>",
    )
    chart.add_vline(x=max_tokens + 1, line={"color": palette.text, "width": 1.5, "dash": "dot"})
    chart.add_annotation(
        x=max_tokens + 1,
        y=1,
        yref="paper",
        yanchor="bottom",
        text=f"cut at {count(max_tokens)}: {percent(truncated_share) if truncated_share else 'none'}",
        showarrow=False,
        xanchor="left" if max_tokens < bars["below"].max() * 0.6 else "right",
        font={"color": palette.text, "size": 12},
    )
    chart.update_xaxes(range=[0, float(bars["below"].max())])
    chart.update_layout(bargap=0, margin={"t": 30})
    return chart


def _range(low: float, high: float, last: bool) -> str:
    return f"{low:,.0f} or more" if last else f"{low:,.0f} to {high - 1:,.0f}"
