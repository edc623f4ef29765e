"""The parts of the metrics page: all metrics on the whole test set or its clean subset, and how it was measured."""

import pandas as pd
import streamlit as st

from medqa_core.foundation.format import capital, count, percent
from medqa_core.report.charts import forest
from medqa_core.report.charts.metrics import forest_figure
from medqa_core.report.document import tables
from medqa_core.report.document.answer_tables import TEMPLATES, of_both, references
from medqa_core.report.document.model import Column, Table
from medqa_core.report.facts import Facts
from medqa_core.report.rules.clean import clean_subset
from medqa_core.report.views.controls import comparison_rows, control_views
from medqa_core.report.views.figures import figures
from medqa_core.report.views.metric import LEVEL, MetricView, clean, whole
from medqa_core.report.wording import controls as controls_in_words
from medqa_core.report.wording.protocol import protocol_lines
from pages.shared import charts, document, notices, tasks, theme
from pages.shared.markup import bullets, html, note

_FINE = (
    " Where a verdict is inconclusive: the smallest difference that the test would have found about four times in "
    "five, and about how many questions would show the smallest one that matters."
)
WHOLE, CLEAN = "all questions", "clean subset"


def overall(facts: Facts) -> None:
    """All metrics as a table, then their differences on one scale; the clean subset is one press away."""
    every = whole(facts)
    if not any(metric.compared for metric in every.values()):
        _one_sided(facts)
        return
    part = _part(facts)
    shown = clean(facts) if part == CLEAN else every
    level = next((metric.level for metric in shown.values() if metric.interval), LEVEL)
    asked = "the same test questions" if part == WHOLE else "the test questions that share no text with training"
    fine = _FINE if any(_inconclusive(metric) for metric in shown.values()) else ""
    document.table(
        tables.metrics_in_detail(shown, str(facts.evaluation.primary_metric) if facts.evaluation else ""),
        caption=f"Base and fine-tuned model on {asked}; {percent(level, 0)} intervals.{fine}",
    )
    for found in clean_subset(facts):
        note(found.sentence)
    views = control_views(facts)
    drawn = forest.rows(shown, views if part == WHOLE else ())
    if drawn:
        chart = forest_figure(drawn, theme.palette())
        charts.show(chart, key="forest", alt=forest.describe(drawn), caption=forest.caption(drawn))
    charts.download(
        "Download the table as CSV", lambda: _frame(facts), f"{facts.run.id}-metrics.csv", key="metrics-csv"
    )


def against_controls(facts: Facts) -> None:
    """The models beside answers that need no model; nothing where no control was measured."""
    views = control_views(facts)
    if not views:
        return
    st.header("Against answers without a model", anchor=False)
    note(controls_in_words.sentence(views, whole(facts).get("rougeL")))
    table = tables.controls(facts)
    if table is not None:
        document.table(table, caption=controls_in_words.CONTROLS)
    charts.download(
        "Download the controls as CSV",
        lambda: pd.DataFrame(comparison_rows(facts)),
        f"{facts.run.id}-controls.csv",
        key="controls-csv",
    )


def _part(facts: Facts) -> str:
    """Which questions the visitor looks at; no choice where the evaluation measured no clean subset."""
    subset = clean(facts)
    size = max((metric.n or 0 for metric in subset.values()), default=0)
    if not size:
        return WHOLE
    chosen = st.segmented_control(
        "Questions",
        (WHOLE, CLEAN),
        default=WHOLE,
        required=True,
        format_func=capital,
        key="questions",
        bind="query-params",
        label_visibility="collapsed",
        help=f"Clean: the {count(size)} questions whose reference has no 13-word overlap with a training answer.",
    )
    return chosen or WHOLE


def how_measured(facts: Facts) -> None:
    """The protocol in words, and how the answers came out."""
    e, answers = facts.evaluation, of_both(facts)
    measured = protocol_lines(e.protocol) if e is not None else []
    if not measured and (e is None or answers is None):
        return
    body = bullets(f"{label}: {text}" for label, text in measured)
    if answers is not None:
        body += document.table_markup(answers, caption="How the generated answers came out; ROUGE rewards length.")
    made_of = references(facts)
    if made_of is not None:
        body += document.table_markup(made_of, caption=TEMPLATES)
    html(f'<details class="mq-part"><summary>How it was measured</summary>{body}</details>')


def _one_sided(facts: Facts) -> None:
    """Nothing to compare: what the source says, if the run is imported, or the button that measures."""
    if not facts.imported:
        if facts.in_progress:
            notices.notice("Not measured yet.", "The evaluation follows when training has ended.")
        else:
            _not_evaluated(facts)
        return
    asked = tables.tasks(facts)
    if asked is not None:
        document.table(asked, caption="Every task that the source states, by its own names.")
    rows = [(figure.label, figure.text) for figure in figures(facts).values() if figure.origin == "reported"]
    if rows:
        document.table(
            Table.of(("Figure", Column("As the source reports it", "number")), rows),
            caption="The fine-tuned model as its source reports it; the source gives no base figures and no intervals.",
        )
    elif asked is None:
        notices.notice("The source states no figures.")


def _not_evaluated(facts: Facts) -> None:
    """Nothing was measured, or what was cannot be read, and the button that measures."""
    problem = facts.evaluation_problem
    if problem is None:
        title = "This run has not been evaluated."
        notices.notice(title, "Loss, ROUGE and their intervals come from the test questions.")
    else:
        replaced = "Evaluating it again replaces the file."
        notices.notice("The evaluation of this run cannot be read.", problem, replaced, bad=True)
    tasks.offer("evaluate", facts.run.id, primary=True)


def _inconclusive(metric: MetricView) -> bool:
    """Whether the test could not tell, and says what it could have detected."""
    return metric.verdict == "cannot tell" and bool(
        metric.min_detectable_effect or (metric.required_n and metric.margin)
    )


def _frame(facts: Facts) -> pd.DataFrame:
    subset = facts.evaluation.clean.items() if facts.evaluation else []
    parts = [(WHOLE, name, metric) for name, metric in facts.metrics]
    parts += [(CLEAN, str(name), metric) for name, metric in subset]
    return pd.DataFrame([{"questions": part, "metric": name, **m.model_dump()} for part, name, m in parts])
