"""Compare runs: what differs, and what came of it?"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import streamlit as st

from medqa_core.foundation.format import NOT_STATED, capital, count, date, place, plural
from medqa_core.foundation.settings import Settings
from medqa_core.report import comparison
from medqa_core.report.charts.loss import View, curve_frame, loss_figure
from medqa_core.report.charts.run_curve import RunCurve
from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS
from medqa_core.report.views.figures import Figure
from medqa_core.report.views.metric import MetricView
from medqa_core.report.wording.metric import change_text, values_text
from medqa_core.runs.run import Run
from medqa_core.runs.store.index import RunEntry
from medqa_core.runs.store.search import ORDERS, labels, matching, offered, ordered, short_names
from pages.compare import between, items, sweep_family
from pages.shared import charts, notices, run_picker, tables, theme
from pages.shared.markup import answer, html, note, verdict
from pages.shared.store import listed, other_runs, store
from pages.shared.tables import Column, Raw
from pages.shared.to_import import to_import

LISTED = 50
"""Runs that the list of what can be chosen describes."""

KEY = "runs"
"""The name of the choice in the address and in the session."""

SAME_FIRST = "same test questions first"
"""The order in which runs are offered where nothing else is asked for; within it the newest first."""

run = run_picker.opened()


def choose() -> list[Run]:
    """The picked run and the ones it is compared with; the choice is in the address, by id.

    Written there by hand, since a bound list would write its titles.
    """
    kept = run_picker.chosen(KEY, others)
    ready = [entry.id for entry in others if entry.state in ("completed", "imported")]
    default = [] if st.query_params.get_all(KEY) else ready[:1]
    st.session_state[KEY] = kept if KEY in st.session_state else kept or default
    chosen = st.multiselect(
        "Compare with",
        offered(search() if len(others) >= comparison.MOST else others, keep=st.session_state[KEY]),
        max_selections=comparison.MOST - 1,
        format_func=labels(others),
        key=KEY,
        placeholder="choose runs",
        select_all=False,
    )
    st.query_params[KEY] = chosen
    return [run, *run_picker.open_all(chosen)]


def same_test_set_first(entries: list[RunEntry]) -> list[RunEntry]:
    """Runs with the picked run's test questions first, then those on its data set: they are judged against it."""
    picked = next((entry for entry in listed() if entry.id == run.id), None)
    if picked is None:
        return entries
    split = picked.split_hash
    return sorted(entries, key=lambda e: (split is None or e.split_hash != split, e.data != picked.data))


def search() -> list[RunEntry]:
    """The other runs that the visitor's words match, in the order asked for; the first ones with what they are."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        label = f"Find among {count(len(others))} runs"
        words = st.text_input(label, key="compare-find", placeholder="id, title, state or model", width=360)
        order = st.selectbox("Order", [SAME_FIRST, *ORDERS], key="compare-order", width=240)
    matched = matching(others, words)
    found = matched if order == SAME_FIRST else ordered(matched, order)
    head = [Column("Run", "fit"), Column("State", "fit"), Column("Created", "fit"), Column("Model"), Column("Title")]
    rows = [[e.id, e.state, date(e.created_at), e.base_model or tables.UNKNOWN, e.title] for e in found[:LISTED]]
    shown = tables.markup(head, rows, caption=f"The first {len(rows)} of {count(len(found))} that match.")
    html(f'<details class="mq-part"><summary>{plural(len(found), "run")} to choose from</summary>{shown}</details>')
    return found


def compare(runs: list[Run]) -> None:
    """The sentence, and below it a tab for each way to look at what differs."""
    facts = [Facts.of(one) for one in runs]
    with sentence:
        answer(comparison.sentence(facts))
    notices.problems([f"{one.run.id}: {problem}" for one in facts for problem in one.problems])
    differing = comparison.asked_differently(facts)
    if differing:
        notices.notice("These exams were asked in different ways.", differing)
    ids = {one.id for one in runs}
    named = short_names(entry for entry in listed() if entry.id in ids)
    tabs = [tab for tab in TABS if tab.there(facts)]
    for panel, tab in zip(st.tabs([tab.title for tab in tabs], key="view", bind="query-params"), tabs, strict=True):
        if panel.open:
            with panel:
                for part in tab.parts:
                    part(facts, named)


def metrics(facts: list[Facts], named: Callable[[str], str]) -> None:
    """Each metric of each run."""
    rows = [[_label(row), *map(_cell, row.cells)] for row in comparison.metric_rows(facts)]
    if rows:
        head = [Column("Metric"), *(Column(named(one.run.id), "number") for one in facts)]
        tables.table(head, rows, caption="Base → fine-tuned, each on the run's own test questions.")


def settings(facts: list[Facts], named: Callable[[str], str]) -> None:
    """The settings with different values; those that some run does not state are one press away."""
    differing, unstated = comparison.differing_settings(facts)
    st.header("Settings that differ", anchor=False)
    columns = [Column("Setting"), *(Column(named(one.run.id)) for one in facts)]
    if differing:
        tables.table(columns, [_setting(row) for row in differing], caption="Settings with different values.")
    else:
        note("No stated setting differs between these runs.")
    if unstated:
        caption = "Settings that some of these runs do not state; those that do agree."
        body = tables.markup(columns, [_setting(row) for row in unstated], caption=caption)
        html(f'<details class="mq-part"><summary>Not stated by all of them</summary>{body}</details>')


def curves(facts: list[Facts], named: Callable[[str], str]) -> None:
    """The loss curves in one chart."""
    st.header("Loss curves", anchor=False)
    all_curves = [RunCurve.of(one.snapshot) for one in facts]
    drawn = [curve for curve in all_curves if not curve.metrics_log.empty]
    if not drawn:
        note("None of these runs has a loss curve.")
        return
    names = ", ".join(curve.label for curve in drawn)
    without = [named(curve.label) for curve in all_curves if curve.metrics_log.empty]
    caption = "Thin: training, smoothed. Thick: validation."
    caption += f" No curve: {', '.join(without)}." if without else ""
    chart = loss_figure(drawn, View(), theme.palette())
    charts.show(chart, key="curves", alt=f"Loss curves of {names}.", caption=caption)
    charts.download("Download the rows as CSV", lambda: curve_frame(drawn), "curves.csv", key="curves-csv")


def _label(row: comparison.MetricRow) -> Raw:
    spec = METRICS[row.name]
    about = "lower is better" if spec.lower_is_better else ""
    return Raw(f'{escape(capital(spec.label))} <span class="mq-note">{about}</span>')


def _cell(cell: MetricView | Figure | None) -> Raw:
    if cell is None:
        return Raw('<span class="mq-muted" aria-label="not stated">·</span>')
    if isinstance(cell, Figure):
        return _two_lines(escape(cell.text), f"{escape(cell.origin)}, no base")
    return _two_lines(escape(values_text(cell)), f"{escape(change_text(cell))} {verdict(cell.verdict)}")


def _two_lines(above: str, below: str) -> Raw:
    return Raw(f'{above}<br><span class="mq-note">{below}</span>')


def _setting(row: comparison.SettingRow) -> list[str]:
    public = Settings.from_environment().public  # whose visitors see no paths of the host
    known = (place(value) if value and public else value for value in row.values)
    return [row.label, *(value or NOT_STATED for value in known)]


@dataclass(frozen=True)
class Tab:
    """Parts that stand together; the title stands in the address."""

    title: str
    parts: tuple[Callable[[list[Facts], between.Named], None], ...]
    there: Callable[[list[Facts]], bool] = lambda facts: True
    """Whether these runs have something of it."""


TABS = (
    Tab("Figures", (metrics,)),
    Tab("Which one is better?", (items.show, between.verdicts)),
    Tab("Questions", (between.questions,), between.several_judged),
    Tab("Ways to answer", (between.ways_to_answer,), between.of_each_way),
    Tab("Settings", (settings,)),
    Tab("Loss curves", (curves,)),
)

others = same_test_set_first(other_runs(run, keep=run_picker.asked_for(KEY)))
sentence = st.container()
chosen_runs = choose()
if len(chosen_runs) > 1:
    compare(chosen_runs)
elif others:
    notices.notice("Choose at least one more run.", f"Up to {comparison.MOST} runs stand side by side.")
else:
    notices.notice("There is only one run.", "Start another fine-tune, or import a run.")
    to_import()
sweep_family.show(chosen_runs, store())
