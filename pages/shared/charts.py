"""How a chart is put on the page: figure, one-sentence caption, text alternative and its data as CSV."""

import math
from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.shared import theme
from pages.shared.markup import note

CONFIG = {"displaylogo": False, "displayModeBar": False, "scrollZoom": False, "responsive": True}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""As OWASP lists them under CSV injection, and the wide forms that some spreadsheets read alike."""


def figure(height: int, *, x: str, y: str, log: bool = False) -> go.Figure:
    """An empty figure in the house style; `x` and `y` are axis titles with their units."""
    result = go.Figure(layout={"template": theme.template(theme.palette()), "height": height})
    result.update_xaxes(title_text=x)
    result.update_yaxes(title_text=y)
    if log:
        result.update_yaxes(type="log")
    return result


def show(chart: go.Figure, *, key: str, alt: str, caption: str, height: int | None = None) -> None:
    """The figure as wide as its place, with its caption below."""
    st.plotly_chart(
        chart, theme=None, config=CONFIG, key=key, alt=alt, width="stretch", height=height or int(chart.layout.height)
    )
    if caption:
        note(caption)


def download(label: str, frame: Callable[[], pd.DataFrame], name: str, *, key: str) -> None:
    """A button that gives the data behind a figure as CSV; they are only written when it is pressed."""
    st.download_button(
        label,
        data=lambda: csv(frame()),
        file_name=name,
        mime="text/csv",
        key=key,
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
    )


def csv(frame: pd.DataFrame) -> bytes:
    """`frame` as CSV. A text that a spreadsheet would run as a formula gets an apostrophe in front."""
    text = frame.select_dtypes(exclude="number")  # a million numbers need not be looked at one by one
    safe = text.map(_harmless)
    return frame.assign(**{str(name): safe[name] for name in safe}).to_csv(index=False).encode("utf-8")


def _harmless(value: object) -> object:
    if not isinstance(value, str):
        return value
    # A lone carriage return would not be quoted, and what follows it would begin a row of its own.
    line = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{line}" if line.startswith(_FORMULA) else line


def end_label(
    chart: go.Figure, text: str, x: float, y: float, colour: str, *, log: bool = False, shift: int = 0
) -> None:
    """A line's name at its end, in place of a legend."""
    chart.add_annotation(
        x=x,
        y=math.log10(y) if log and y > 0 else y,
        text=plain(text),
        showarrow=False,
        xanchor="left",
        xshift=8,
        yshift=shift,
        bgcolor=theme.faint(theme.palette().paper, 0.8),
        borderpad=1,
        font={"color": colour, "size": 12},
    )


def plain(text: str) -> str:
    """`text` for a Plotly label, which reads a few HTML tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def apart(values: list[float], low: float, high: float, height: int, gap: int = 15) -> list[int]:
    """Shifts in pixels that keep labels at these heights from lying on each other; `height` is the plot's."""
    span = (high - low) or 1.0
    order = sorted(range(len(values)), key=lambda i: values[i])
    shifts, last = [0] * len(values), -math.inf
    for place in order:
        wanted = (values[place] - low) / span * height
        shifts[place] = round(max(wanted, last + gap) - wanted)
        last = wanted + shifts[place]
    return shifts
