"""Compare runs: what differs, and what came of it?"""

from html import escape

import streamlit as st

from medqa_core.foundation.format import count, date, plural
from medqa_core.report import comparison
from medqa_core.report.facts import Facts
from medqa_core.runs.run import Run
from medqa_core.runs.store.index import RunEntry
from medqa_core.runs.store.search import ORDERS, matching, offered, ordered
from pages.compare import sweep_family
from pages.shared import charts, loss_charts, notices, run_picker, tables
from pages.shared.loss_charts import RunCurve, View
from pages.shared.markup import answer, escape_markdown, html, note, verdict
from pages.shared.store import other_runs, store
from pages.shared.tables import Column, Raw

LISTED = 50
"""Runs that the list of what can be chosen describes."""

run = run_picker.head("What differs between runs?", one_run=False)


def choose() -> list[Run]:
    """The picked run and the ones it is compared with; the choice is in the address."""
    kept = run_picker.chosen("runs", others)
    default = [entry.id for entry in others if entry.state in ("completed", "imported")][:2]
    chosen = st.multiselect(
        f"Compare {escape_markdown(run.id)} with",
        offered(search() if len(others) >= comparison.MOST else others, keep=[*kept, *default]),
        default=default,
        max_selections=comparison.MOST - 1,
        key="runs",
        bind="query-params",
        placeholder="choose runs",
        select_all=False,
    )
    return [run, *run_picker.open_all(chosen)]


def search() -> list[RunEntry]:
    """The other runs that the visitor's words match, in the order asked for; the first ones with what they are."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        label = f"Find among {count(len(others))} runs"
        words = st.text_input(label, key="compare-find", placeholder="id, title, state or model", width=360)
        order = st.selectbox("Order", list(ORDERS), key="compare-order", width=200)
    found = ordered(matching(others, words), order)
    head = [Column("run", "fit"), Column("state", "fit"), Column("created", "fit"), Column("model"), Column("title")]
    rows = [[e.id, e.state, date(e.created_at), e.base_model or tables.UNKNOWN, e.title] for e in found[:LISTED]]
    listed = tables.markup(head, rows, caption=f"The first {len(rows)} of {count(len(found))} that match.")
    html(f'<details class="mq-part"><summary>{plural(len(found), "run")} to choose from</summary>{listed}</details>')
    return found


def compare(runs: list[Run]) -> None:
    """Sentence, figures, settings, curves."""
    facts = [Facts.of(one) for one in runs]
    head = [Column(""), *(Column(one.id, "number") for one in runs)]
    figures = comparison.figure_rows(facts)
    with sentence:
        answer(comparison.lowest(facts))
    notices.problems([f"{one.run.id}: {problem}" for one in facts for problem in one.problems])
    if figures:
        rows = [[_label(row), *(_cell(cell) for cell in row.cells)] for row in figures]
        tables.table(head, rows, caption="Base → fine-tuned, each on the run's own test questions.")
    differing, unstated = comparison.differing_settings(facts)
    st.header("Settings that differ", anchor=False)
    columns = [Column("setting"), *(Column(one.id) for one in runs)]
    if differing:
        tables.table(columns, differing, caption="Only what is not the same in all of them.")
    else:
        note("None among those that the runs state.")
    if unstated:
        listed = tables.markup(columns, unstated, caption="Where the runs that state it agree.")
        title = f"{len(unstated)} more that not every run states"
        html(f'<details class="mq-part"><summary>{title}</summary>{listed}</details>')
    st.header("Loss curves", anchor=False)
    curves = [RunCurve.of(one.snapshot) for one in facts]
    drawn = [curve for curve in curves if not curve.metrics_log.empty]
    if not drawn:
        note("None of these runs has a loss curve.")
        return
    names = ", ".join(curve.label for curve in drawn)
    without = [curve.label for curve in curves if curve.metrics_log.empty]
    caption = "Thin: training, smoothed. Thick: validation."
    caption += f" No curve: {', '.join(without)}." if without else ""
    charts.show(loss_charts.loss(drawn, View()), key="curves", alt=f"Loss curves of {names}.", caption=caption)
    charts.download("Download the rows as CSV", lambda: loss_charts.frame(drawn), "curves.csv", key="curves-csv")


def _label(row: comparison.Row) -> Raw:
    return Raw(f'{escape(row.label)} <span class="mq-note">{escape(row.about)}</span>')


def _cell(cell: comparison.Cell | None) -> Raw:
    if cell is None:
        return Raw('<span class="mq-muted" aria-label="not stated">·</span>')
    below = f"{escape(cell.change)} {verdict(cell.verdict) if cell.verdict else ''}"
    return Raw(f'{escape(cell.values)}<br><span class="mq-note">{below}</span>')


others = other_runs(run)
sentence = st.container()
chosen_runs = choose()
if len(chosen_runs) > 1:
    compare(chosen_runs)
elif others:
    notices.notice("Choose at least one more run.", f"Up to {comparison.MOST} runs stand side by side.")
else:
    notices.notice(
        "There is only one run.",
        "Make another one, or bring one in:",
        command="python -m medqa_core import PATH",
    )
sweep_family.show(chosen_runs, store())
