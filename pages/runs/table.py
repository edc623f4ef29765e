"""The table of runs: filters above it, a row with a tick for each run, twenty-five at a time."""

from html import escape
from typing import get_args
from urllib.parse import urlencode

import streamlit as st

from medqa_core.foundation.format import bytes_size, count, date, signed
from medqa_core.report.names import METRICS
from medqa_core.report.run_list import ORDERS, RunRow, in_order
from medqa_core.report.verdict_words import verdict_words
from medqa_core.report.views.verdict import Word
from medqa_core.runs.store.index import RunEntry
from medqa_core.runs.store.search import matching
from pages.shared import inputs
from pages.shared.markup import escape_markdown, html, note, verdict
from pages.shared.store import store
from pages.shared.tables import UNKNOWN

A_PAGE = 25
MOST = 500
"""Runs whose figures are read for one drawing, where the order asks for them; of more, the words find the others."""
COLUMNS = ("State", "Verdict", "Primary metric", "Created", "Data", "On disk")
WIDTHS = [4, 10]
NONE = "none yet"
"""A verdict to filter by: nothing was compared."""


def tick_key(run_id: str) -> str:
    """The session's key of a run's tick."""
    return inputs.key(f"tick {run_id}")


def untick(run_id: str) -> None:
    """Take a run's tick away; for a button's callback."""
    inputs.put(f"tick {run_id}", False)


def ticked(entries: list[RunEntry]) -> list[RunEntry]:
    """The runs that are ticked, as far as they are there."""
    return [entry for entry in entries if st.session_state.get(tick_key(entry.id))]


def filters(entries: list[RunEntry]) -> list[RunRow]:
    """Words, state, verdict, archived ones and order; the rows that they leave, in order."""
    first = st.columns([3.5, 2.5, 2.5, 2.5, 2.5], gap="small", vertical_alignment="bottom")
    words = first[0].text_input(
        "Find", key="runs-find", placeholder="title, id, state, data, tag", bind="query-params", on_change=_first_page
    )
    states = sorted({entry.state for entry in entries})
    wanted = first[1].multiselect(
        "State", states, key="runs-state", placeholder="all", on_change=_first_page, select_all=False
    )
    verdicts = first[2].multiselect(
        "Verdict",
        [*get_args(Word), NONE],
        key="runs-verdict",
        placeholder="all",
        on_change=_first_page,
        select_all=False,
    )
    order = first[3].selectbox("Order", list(ORDERS), key="runs-order", bind="query-params", on_change=_first_page)
    archived = first[4].toggle("Archived too", key="runs-archived", bind="query-params", on_change=_first_page)
    left = [e for e in matching(entries, words) if (archived or not e.archived) and (not wanted or e.state in wanted)]
    if len(left) > MOST:
        note(f"The newest {count(MOST)} of {count(len(left))} that match; words find the others.")
    folder = store().folder
    rows = [RunRow(entry, folder / entry.id) for entry in left[:MOST]]
    if verdicts:
        with st.spinner("Reading the verdicts", show_time=False):
            rows = [row for row in rows if (row.word or NONE) in verdicts]
    return in_order(rows, order)


def draw(rows: list[RunRow], total: int) -> None:
    """The rows of one page of the table."""
    if not rows:
        note("No run matches." if total else "The run store is empty.")
        return
    pages = -(-len(rows) // A_PAGE)
    page = min(int(st.session_state.get("runs-page", 1)), pages)
    with st.container(key="runs-table", gap="small"):
        with st.container(key="runs-head"):
            left, right = st.columns(WIDTHS, gap="small")
            with left:
                html('<span class="mq-muted">Run</span>')
            with right:
                html('<div class="mq-run mq-muted">' + "".join(f"<span>{c}</span>" for c in COLUMNS) + "</div>")
        for row in rows[(page - 1) * A_PAGE : page * A_PAGE]:
            _row(row)
    verdict_words(store().folder).save()
    if pages > 1:
        st.pagination(pages, key="runs-page")
    if len(rows) < total:
        note(f"{count(len(rows))} of {count(total)} runs.")


def _row(row: RunRow) -> None:
    entry = row.entry
    with st.container(key=f"run-row-{entry.id}"):
        left, right = st.columns(WIDTHS, gap="small", vertical_alignment="top")
        with left:
            st.checkbox(_label(entry), key=tick_key(entry.id), persist_state="session", wrap=True)
            html(f'<p class="mq-note mq-run-id">{_about(entry)}</p>')
        with right:
            cells = zip(COLUMNS, _cells(row), strict=True)
            html(
                '<dl class="mq-run">'
                + "".join(f"<div><dt>{name}</dt><dd>{cell}</dd></div>" for name, cell in cells)
                + "</dl>"
            )


def _cells(row: RunRow) -> list[str]:
    entry, metric = row.entry, row.primary
    created = UNKNOWN if entry.kind == "unknown" else date(entry.created_at)
    if metric is None:
        judged = UNKNOWN
    else:
        digits = 1 if metric.name == "mmlu" else METRICS[metric.name].digits
        value = None if metric.difference is None else metric.difference * (100 if metric.name == "mmlu" else 1)
        unit = "points, " if metric.name == "mmlu" else ""
        about = f'<span class="mq-note">{unit}{escape(metric.label)}</span>'
        judged = f"{verdict(metric.verdict)}<br>{escape(signed(value, digits))} {about}"
    state = entry.state + (", archived" if entry.archived else "")
    return [
        escape(state),
        escape(row.word or UNKNOWN),
        judged,
        created,
        escape(entry.data or UNKNOWN),
        bytes_size(row.size),
    ]


def _label(entry: RunEntry) -> str:
    number = f"#{entry.number} " if entry.number is not None else ""
    return escape_markdown(f"{number}{entry.title}")


def _about(entry: RunEntry) -> str:
    if entry.state == "unreadable":
        return f"{escape(entry.id)}: {escape(entry.problem or '')}"
    address = f"summary?{urlencode({'run': entry.id})}"
    parts = [f'<a href="{escape(address)}" target="_self" style="color:var(--mq-link)">{escape(entry.id)}</a>']
    return " · ".join([*parts, *map(escape, entry.tags)])


def _first_page() -> None:
    """Another filter or order: start at its first page."""
    st.session_state["runs-page"] = 1
