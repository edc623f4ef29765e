"""The metrics page's part about passages: do they help an answer, and are the right ones found?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from medqa_core.foundation.format import count, number, percent, share
from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS, WORDING, verdict_mark
from medqa_core.report.protocol import with_sources_lines
from medqa_core.report.verdict import change_text, is_compared, supported, value_text
from medqa_core.report.with_sources import VARIANTS, against, sentence
from medqa_core.runs.artifacts.retrieval import Recall, Retrieval, read_retrieval
from medqa_core.runs.schema.evaluation import Metric, WithSources
from pages.shared import charts, notices, tables, theme
from pages.shared.markup import bullets, html, note, verdict
from pages.shared.tables import UNKNOWN, Column, Raw

HEAD = (
    Column("metric"),
    Column("base", "number"),
    Column("fine-tuned", "number"),
    Column("with passages", "number"),
    Column("against base", "number"),
    Column("verdict"),
    Column("against fine-tuned", "number"),
    Column("verdict"),
)
RETRIEVAL_HEAD = (
    Column("first passages"),
    Column("own document found", "number"),
    Column("shared text found", "number"),
    Column("shared text by chance", "number"),
)


def with_sources(facts: Facts) -> None:
    """Answers with passages against both models', then how well passages are found; a line where neither is measured.

    Nothing for imported runs, for runs in work, and for those without an evaluation to compare with.
    """
    if facts.imported or facts.evaluation is None or notices.in_work(facts.run):
        return
    found, retrieval = facts.evaluation.with_sources, read_retrieval(facts.run.folder, facts.run.problems)
    st.header("Does reading passages help?", anchor=False)
    if found is None:
        notices.notice(
            "Answers with passages have not been measured for this run.",
            "A model answers the test questions once more, with passages of training documents before it:",
            command=f"python -m medqa_core evaluate {facts.run.id} --with-sources",
        )
    else:
        _answers(facts, found)
    if retrieval is not None:
        _passages(facts, retrieval)


def _answers(facts: Facts, found: WithSources) -> None:
    said = sentence(found)
    if said:
        note(said)
    variants = against(found)
    names = [name for name in METRICS if any(name in metrics for metrics in variants.values())]
    n = max((m.n or 0 for metrics in variants.values() for m in metrics.values()), default=0)
    caption = (
        f"The same {count(n)} test questions; with sources − base and with sources − fine-tuned, with 95% intervals."
    )
    tables.table(HEAD, [_row(name, variants) for name in names], caption=caption)
    drawn = [name for name in WORDING if name in names]
    if drawn:
        charts.show(
            _chart(drawn, variants), key="with_sources", alt=said or caption, caption="Mean over the test questions."
        )
    charts.download(
        "Download as CSV",
        lambda: _frame(found),
        f"{facts.run.id}-with_sources.csv",
        key="with_sources-csv",
    )
    lines = [f"{label}: {text}" for label, text in with_sources_lines(found)]
    if found.generation is not None:
        made = found.generation
        lines.append(
            f"Answers: {number(made.mean_tokens, 1)} tokens in the mean, {percent(made.empty_share)} empty, "
            f"{number(made.length_ratio, 2)} of the references’ length"
        )
    html(f'<details class="mq-part"><summary>How it was measured</summary>{bullets(lines)}</details>')


def _row(name: str, variants: Mapping[str, Mapping[str, Metric]]) -> list[str | Raw]:
    base, tuned = (metrics.get(name, Metric()) for metrics in variants.values())
    read = base.fine_tuned if base.fine_tuned is not None else tuned.fine_tuned
    cells: list[str | Raw] = [METRICS[name].label, *(_value(name, one) for one in (base.base, tuned.base, read))]
    for metric in (base, tuned):
        if is_compared(metric):
            cells += [change_text(name, metric), Raw(verdict(verdict_mark(supported(name, metric))))]
        else:
            cells += [UNKNOWN, UNKNOWN]
    return cells


def _frame(found: WithSources) -> pd.DataFrame:
    variants = against(found).items()
    return pd.DataFrame(
        [{"against": s, "metric": name, **m.model_dump()} for s, ms in variants for name, m in ms.items()]
    )


def _value(name: str, value: float | None) -> str:
    return UNKNOWN if value is None else value_text(name, value)


def _chart(names: list[str], variants: Mapping[str, Mapping[str, Metric]]) -> go.Figure:
    """Each metric's three values on one line: hollow circle, filled circle, diamond."""
    p = theme.palette()
    chart = charts.figure(118 + 38 * len(names), x="score, 0 to 1; right is better", y="")
    looks = [
        ("base", p.base, "circle-open"),
        ("fine_tuned", p.tuned, "circle"),
        ("with_sources", p.with_sources, "diamond"),
    ]
    labels = [charts.plain(METRICS[name].label) for name in names]
    for variant, colour, symbol in looks:
        title = VARIANTS.get(variant, "with passages")
        some = [variants["base" if variant == "with_sources" else variant].get(name, Metric()) for name in names]
        values = [metric.fine_tuned if variant == "with_sources" else metric.base for metric in some]
        chart.add_scatter(
            x=np.array(values, dtype=float),
            y=labels,
            mode="markers",
            name=title,
            marker={"size": 11, "color": colour, "symbol": symbol, "line": {"width": 2, "color": colour}},
            hovertemplate=f"{title}, %{{y}}: %{{x:.4f}}<extra></extra>",
        )
    chart.update_xaxes(showgrid=True, rangemode="tozero")
    chart.update_yaxes(showgrid=False, tickfont={"color": p.text, "size": 13}, autorange="reversed")
    legend = {"x": 0, "y": 1, "yref": "container", "yanchor": "top"}
    chart.update_layout(showlegend=True, margin={"t": 48}, legend=legend)
    return chart


def _passages(facts: Facts, retrieval: Retrieval) -> None:
    """Recall at k, two ways: an index that holds the question's own document, and the one that answers use."""
    note(
        f"How often the passages that are found are the right ones, on {count(retrieval.questions)} test questions. "
        "Own document: in an index that holds it too, which the question’s topic makes easy. Shared text: among the "
        f"{count(retrieval.passages)} training passages that answers use, one that shares 13 words in a row with a "
        "reference answer; most questions have none there."
    )
    by_k: dict[int, list[Recall | None]] = {}
    for place, part in enumerate((retrieval.known_item, retrieval.support, retrieval.support_by_chance)):
        for recall in part:
            by_k.setdefault(recall.k, [None] * 3)[place] = recall
    rows = [[count(k), *(_share(recall) for recall in found)] for k, found in sorted(by_k.items())]
    tables.table(RETRIEVAL_HEAD, rows, caption=f"Share of test questions; 95% intervals. {retrieval.method}.")


def _share(recall: Recall | None) -> str:
    return UNKNOWN if recall is None else share(recall.share, recall.ci)
