"""How a chart is put on the page: figure, one-sentence caption, text alternative and its data as CSV."""

from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.markup import note

CONFIG = {"displaylogo": False, "displayModeBar": False, "scrollZoom": False, "responsive": True}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""As OWASP lists them under CSV injection, and the wide forms that some spreadsheets read alike."""


def place(key: str) -> DeltaGenerator:
    """A place for what is drawn last, a figure mostly; the style sheet keeps its height until then.

    An empty container is not on the page at all, so this one holds an element that is not shown.
    """
    container = st.container(key=f"place-{key}")
    container.html("<span hidden></span>")
    return container


def show(chart: go.Figure, *, key: str, alt: str, caption: str, height: int | None = None) -> None:
    """The figure as wide as its place, with its caption below."""
    st.plotly_chart(
        chart,
        theme=None,
        config=CONFIG,
        key=f"chart-{key}",
        alt=alt,
        width="stretch",
        height=height or int(chart.layout.height),
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
