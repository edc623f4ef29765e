"""The parts of the metrics page: all metrics on the whole test set or its clean part, and how it was measured."""

from collections.abc import Sequence
from html import escape

import pandas as pd
import streamlit as st

from medqa_core.foundation.format import NOT_STATED, capital, count, number, p_value, percent
from medqa_core.report import forest, protocol
from medqa_core.report.facts import Facts
from medqa_core.report.figures import figures
from medqa_core.report.names import verdict_mark
from medqa_core.report.precision import size_text
from medqa_core.report.rules.clean import clean_part
from medqa_core.report.verdict import METRICS, change_text, is_compared, supported, value_text
from medqa_core.runs.schema.evaluation import Metric
from pages.shared import charts, metric_charts, notices, tables
from pages.shared.markup import bullets, html, note, verdict
from pages.shared.tables import UNKNOWN, Column, Raw

HEAD = (
    Column("metric"),
    Column("base", "number"),
    Column("fine-tuned", "number"),
    Column("difference [interval]", "number"),
    Column("p", "number"),
    Column("verdict"),
    Column("questions", "number"),
)


_FINE = (
    " Where a verdict cannot be told: the smallest difference that the test would have found about four times in five, "
    "and about how many questions would show the smallest one that matters."
)
WHOLE, CLEAN = "all questions", "clean part"


def overall(facts: Facts) -> None:
    """All metrics as a table, then their differences on one scale; the clean part is one press away."""
    if not any(is_compared(metric) for _, metric in facts.metrics):
        _one_sided(facts)
        return
    part = _part(facts)
    shown: dict[str, Metric] = dict(facts.metrics)
    if part == CLEAN and facts.evaluation is not None:
        shown = {str(name): metric for name, metric in facts.evaluation.clean.items()}
    level = next((m.level for m in shown.values() if m.level), 0.95)
    primary = facts.evaluation.primary_metric if facts.evaluation else ""
    rows = [row(_label(name, primary), name, shown[name]) for name in METRICS if name in shown]
    unclear = any(_how_fine(name, metric) for name, metric in shown.items() if supported(name, metric) == "cannot tell")
    asked = "the same test questions" if part == WHOLE else "the test questions that share no text with training"
    tables.table(
        HEAD,
        rows,
        caption=f"Base and fine-tuned model on {asked}; {percent(level, 0)} intervals.{_FINE if unclear else ''}",
    )
    for found in clean_part(facts):
        note(found.sentence)
    drawn = forest.rows(shown)
    if drawn:
        charts.show(metric_charts.forest(drawn), key="forest", alt=forest.describe(drawn), caption=forest.CAPTION)
    charts.download(
        "Download the table as CSV", lambda: _frame(facts), f"{facts.run.id}-metrics.csv", key="metrics-csv"
    )


def _part(facts: Facts) -> str:
    """Which questions the visitor looks at; no choice where the evaluation measured no clean part."""
    if facts.evaluation is None or not facts.evaluation.clean:
        return WHOLE
    size = max(metric.n or 0 for metric in facts.evaluation.clean.values())
    chosen = st.segmented_control(
        "Questions",
        (WHOLE, CLEAN),
        default=WHOLE,
        required=True,
        format_func=lambda part: f"{capital(part)} ({count(size)})" if part == CLEAN else capital(part),
        key="part",
        label_visibility="collapsed",
        help="Clean: the reference shares no run of 13 words with a training answer.",
    )
    return chosen or WHOLE


def how_measured(facts: Facts) -> None:
    """The protocol in words, and how the answers came out."""
    e = facts.evaluation
    measured = protocol.lines(e.protocol) if e else []
    if e is None or not (measured or facts.generations):
        return
    body = bullets(f"{label}: {text}" for label, text in measured)
    if facts.generations:
        base, tuned = facts.generations
        rows = [
            ["empty answers", percent(base.empty_share), percent(tuned.empty_share)],
            ["mean answer, tokens", number(base.mean_tokens, 1), number(tuned.mean_tokens, 1)],
            ["answer length / reference length", number(base.length_ratio, 2), number(tuned.length_ratio, 2)],
            ["runs of four words that repeat", *(_share(variant.repetition) for variant in (base, tuned))],
            ["prompt", base.prompt, tuned.prompt],
        ]
        columns = (Column("answers"), Column("base", "number"), Column("fine-tuned", "number"))
        body += tables.markup(columns, rows, caption="How the generated answers came out; ROUGE rewards length.")
    html(f'<details class="mq-part"><summary>How it was measured</summary>{body}</details>')


def _one_sided(facts: Facts) -> None:
    """Nothing to compare: what the source says, if the run is imported, or the command that measures."""
    if not facts.imported:
        if notices.in_work(facts.run):
            notices.notice("Not measured yet.", "The evaluation follows when training has ended.")
        else:
            notices.notice(
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
        notices.notice("The source states no figures.")


def row(label: str | Raw, name: str, metric: Metric) -> Sequence[str | Raw]:
    """A line under HEAD."""
    about = [f'<span class="mq-note">{escape(metric.reason)}</span>'] if metric.reason else []
    about += [f'<span class="mq-note fit">{escape(text)}</span>' for text in _how_fine(name, metric)]
    return [
        label,
        _or_dot(value_text(name, metric.base)),
        _or_dot(value_text(name, metric.fine_tuned)),
        _or_dot(change_text(name, metric)),
        UNKNOWN if metric.p is None else p_value(metric.p).removeprefix("p = ").removeprefix("p "),
        Raw("<br>".join([verdict(verdict_mark(supported(name, metric))), *about])),
        UNKNOWN if metric.n is None else count(metric.n),
    ]


def _how_fine(name: str, metric: Metric) -> list[str]:
    """What the test could see, and what would settle it, in a few words each."""
    told = supported(name, metric)

    def size(value: float) -> str:
        return size_text(name, value).removesuffix(f" {METRICS[name].unit}").replace("percentage points", "points")

    if told == "equivalent" and metric.margin:
        return [f"within ±{size(metric.margin)}"]
    if told != "cannot tell":
        return []
    lines = [f"sees {size(metric.min_detectable_effect)} or more"] if metric.min_detectable_effect else []
    if metric.required_n and metric.margin:
        lines.append(f"{count(metric.required_n)} questions settle it")
    return lines


def _label(name: str, primary: str) -> Raw:
    spec = METRICS[name]
    unit = ", ".join(part for part in (spec.unit, "lower is better" if spec.lower_is_better else "") if part)
    about = f' <span class="mq-note">{escape(unit)}</span>' if unit else ""
    main = ' <span class="mq-note">· primary</span>' if name == primary else ""
    return Raw(f"{escape(capital(spec.label))}{about}{main}")


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else percent(value)


def _or_dot(text: str) -> str:
    return UNKNOWN if text == NOT_STATED else text


def _frame(facts: Facts) -> pd.DataFrame:
    clean = facts.evaluation.clean.items() if facts.evaluation else []
    parts = [(WHOLE, name, metric) for name, metric in facts.metrics]
    parts += [(CLEAN, str(name), metric) for name, metric in clean]
    return pd.DataFrame([{"questions": part, "metric": name, **m.model_dump()} for part, name, m in parts])
