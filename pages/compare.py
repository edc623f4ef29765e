"""Compare runs: what differs, and what came of it?"""

import streamlit as st

from medqa_core.report.facts import Facts
from medqa_core.runs.store import Run
from pages.parts import charts, comparison, loss_charts, run_picker, states, tables
from pages.parts.loss_charts import RunCurve, View
from pages.parts.markup import answer, note
from pages.parts.store import other_runs
from pages.parts.tables import Column

run = run_picker.selected()
st.title("What differs between runs?", anchor=False)


def choose() -> list[Run]:
    """The picked run and the ones it is compared with; the choice is in the address."""
    others = other_runs(run)
    chosen = st.multiselect(
        f"Compare {run.id} with",
        others,
        default=others[:2],
        max_selections=comparison.MOST - 1,
        key="runs",
        bind="query-params",
        placeholder="choose runs",
    )
    return [run, *run_picker.open_all(chosen)]


def compare(runs: list[Run]) -> None:
    """Sentence, figures, settings, curves."""
    facts = [Facts.of(one) for one in runs]
    head = [Column(""), *(Column(one.id, "number") for one in runs)]
    figures = comparison.figure_rows(facts)
    with sentence:
        answer(comparison.lowest(facts))
    if figures:
        tables.table(head, figures, caption="Figures of the fine-tuned model, of its base, and the difference.")
    settings = comparison.differing_settings(facts)
    st.subheader("Settings that differ", anchor=False)
    if settings:
        columns = [Column("setting"), *(Column(one.id) for one in runs)]
        tables.table(columns, settings, caption="Only what is not the same in all of them.")
    else:
        note("None: these runs have the same configuration.")
    st.subheader("Loss curves", anchor=False)
    curves = [RunCurve.of(one) for one in runs]
    drawn = [curve for curve in curves if not curve.series.empty]
    if not drawn:
        note("None of these runs has a loss curve.")
        return
    names = ", ".join(curve.label for curve in drawn)
    without = [curve.label for curve in curves if curve.series.empty]
    caption = "Thin: training, smoothed. Thick: validation."
    caption += f" No curve: {', '.join(without)}." if without else ""
    charts.show(loss_charts.loss(drawn, View()), key="curves", alt=f"Loss curves of {names}.", caption=caption)
    charts.download("Download the rows as CSV", lambda: loss_charts.frame(drawn), "curves.csv", key="curves-csv")


sentence = st.container()
chosen_runs = choose()
if len(chosen_runs) > 1:
    compare(chosen_runs)
elif other_runs(run):
    states.notice("Choose at least one more run.", "Up to six runs stand side by side.")
else:
    states.notice(
        "There is only one run.",
        "Make another one, or bring one in:",
        command="python -m medqa_core import PATH",
    )
for one in chosen_runs:
    states.problems(one)
