"""The parts of the metrics page: all metrics, MMLU against chance, by question type, how it was measured."""

from collections.abc import Sequence
from html import escape

import pandas as pd
import streamlit as st

from medqa_core.report.facts import Facts
from medqa_core.report.figures import figures
from medqa_core.report.format import NOT_STATED, capital, count, number, p_value, percent, verdict_mark
from medqa_core.report.verdict import METRICS, change_text, is_compared, supported, value_text
from medqa_core.runs.evaluation import Metric
from medqa_core.runs.mmlu import CHANCE
from pages.parts import charts, metric_charts, states, tables
from pages.parts.markup import bullets, html, verdict
from pages.parts.tables import Column, Raw

UNKNOWN = "·"
HEAD = (
    Column("metric"),
    Column("base", "number"),
    Column("fine-tuned", "number"),
    Column("difference [interval]", "number"),
    Column("p", "number"),
    Column("verdict"),
    Column("questions", "number"),
)


def overall(facts: Facts) -> None:
    """All metrics as a table, then their differences on one scale."""
    if not any(is_compared(metric) for _, metric in facts.metrics):
        _one_sided(facts)
        return
    level = next((m.level for _, m in facts.metrics if m.level), 0.95)
    primary = facts.evaluation.primary_metric if facts.evaluation else ""
    rows = [_row(_label(name, primary), name, metric) for name, metric in facts.metrics]
    tables.table(
        HEAD, rows, caption=f"Base and fine-tuned model on the same test questions; {percent(level, 0)} intervals."
    )
    chart = metric_charts.forest(dict(facts.metrics))
    if chart is not None:
        caption = "Change against the base model with its interval; an interval that crosses zero settles nothing."
        charts.show(chart, key="forest", alt=_alt(facts), caption=caption)
    charts.download(
        "Download the table as CSV", lambda: _frame(facts), f"{facts.run.id}-metrics.csv", key="metrics-csv"
    )


def mmlu(facts: Facts) -> None:
    """MMLU by subset against guessing, or what is missing."""
    st.header("Medical knowledge: MMLU by subset", anchor=False)
    results = facts.mmlu
    if results is None:
        states.notice(
            "MMLU has not been measured for this run."
            if not facts.imported
            else "The source does not say how the model does on MMLU.",
            f"Guessing among four letters is right {percent(CHANCE, 0)} of the time.",
            command=None if facts.imported else f"python -m medqa_core mmlu {facts.run.id}",
        )
        return
    sides = (("fine-tuned", results.fine_tuned), ("base", results.base or []))
    pooled = [f"{name} {percent(share)}" for name, scores in sides if (share := results.pooled(scores)) is not None]
    caption = f"Over all subsets: {', '.join(pooled)}; guessing: {percent(CHANCE, 0)}." if pooled else ""
    charts.show(
        metric_charts.mmlu(results),
        key="mmlu",
        alt=f"Accuracy by MMLU subset for each model against chance. {caption}",
        caption=f"{caption} Bars: 95% intervals; a model whose bar reaches the dotted line may be guessing.",
    )
    charts.download(
        "Download as CSV", lambda: metric_charts.mmlu_frame(results), f"{facts.run.id}-mmlu.csv", key="mmlu-csv"
    )


def by_question_type(facts: Facts) -> None:
    """The primary metric for each type of question."""
    types = facts.evaluation.by_question_type if facts.evaluation else {}
    if not types or facts.evaluation is None:
        return
    st.header("By question type", anchor=False)
    names = [name for name in METRICS if any(name in metrics for metrics in types.values())]
    primary = facts.evaluation.primary_metric
    name = st.segmented_control(
        "Metric",
        names,
        default=primary if primary in names else names[0],
        required=True,
        format_func=lambda n: capital(METRICS[n].label),
        key="by-type-metric",
        label_visibility="collapsed",
    )
    by_size = sorted(types.items(), key=lambda item: -(item[1][name].n or 0) if name in item[1] else 0)
    rows = [_row(kind, name, metrics[name]) for kind, metrics in by_size if name in metrics]
    label = capital(METRICS[name].label)
    caption = f"{label} by question type, most questions first; among many types some differ by chance."
    tables.table((Column("question type"), *HEAD[1:]), rows, caption=caption)


def how_measured(facts: Facts) -> None:
    """The protocol in words, and how the answers came out."""
    e = facts.evaluation
    if e is None or not (e.protocol or facts.generations):
        return
    body = bullets(f"{capital(key.replace('_', ' '))}: {text}" for key, text in e.protocol.items())
    if facts.generations:
        base, tuned = facts.generations
        rows = [
            ["empty answers", percent(base.empty_share), percent(tuned.empty_share)],
            ["mean answer, tokens", number(base.mean_tokens, 1), number(tuned.mean_tokens, 1)],
            ["answer length / reference length", number(base.length_ratio, 2), number(tuned.length_ratio, 2)],
            ["prompt", base.prompt, tuned.prompt],
        ]
        columns = (Column("answers"), Column("base", "number"), Column("fine-tuned", "number"))
        body += tables.markup(columns, rows, caption="How the generated answers came out; ROUGE rewards length.")
    html(f'<details class="mq-part"><summary>How it was measured</summary>{body}</details>')


def _one_sided(facts: Facts) -> None:
    """Nothing to compare: what the source says, if the run is imported, or the command that measures."""
    if not facts.imported:
        if states.in_work(facts.run):
            states.notice("Not measured yet.", "The evaluation follows when training has ended.")
        else:
            states.notice(
                "This run has not been evaluated.",
                "Loss, ROUGE and their intervals come from the test questions:",
                command=f"python -m medqa_core evaluate {facts.run.id}",
            )
        return
    reported = [f for f in figures(facts).values() if f.origin == "reported"]
    rows = [[f.label, f.text] for f in reported]
    if rows:
        tables.table(
            (Column("figure"), Column("as the source reports it", "number")),
            rows,
            caption="The fine-tuned model as its source reports it; the source gives no base figures and no intervals.",
        )
    else:
        states.notice("The source states no figures.")


def _row(label: str | Raw, name: str, metric: Metric) -> Sequence[str | Raw]:
    mark = verdict(verdict_mark(supported(name, metric)))
    why = f'<br><span class="mq-note">{escape(metric.reason)}</span>' if metric.reason else ""
    return [
        label,
        _or_dot(value_text(name, metric.base)),
        _or_dot(value_text(name, metric.fine_tuned)),
        _or_dot(change_text(name, metric)),
        UNKNOWN if metric.p is None else p_value(metric.p).removeprefix("p = ").removeprefix("p "),
        Raw(mark + why),
        UNKNOWN if metric.n is None else count(metric.n),
    ]


def _label(name: str, primary: str) -> Raw:
    spec = METRICS[name]
    unit = ", ".join(part for part in (spec.unit, "lower is better" if spec.lower_is_better else "") if part)
    about = f' <span class="mq-note">{escape(unit)}</span>' if unit else ""
    main = ' <span class="mq-note">· primary</span>' if name == primary else ""
    return Raw(f"{escape(capital(spec.label))}{about}{main}")


def _or_dot(text: str) -> str:
    return UNKNOWN if text == NOT_STATED else text


def _alt(facts: Facts) -> str:
    return "; ".join(f"{METRICS[n].label} {change_text(n, m)}, {m.verdict}" for n, m in facts.metrics)


def _frame(facts: Facts) -> pd.DataFrame:
    return pd.DataFrame([{"metric": name, **metric.model_dump()} for name, metric in facts.metrics])
