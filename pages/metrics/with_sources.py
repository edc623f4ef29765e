"""The metrics page's part about passages: do they help an answer, and are the right ones found?"""

import pandas as pd
import streamlit as st

from medqa_core.foundation.format import capital, count, share
from medqa_core.report.charts.metrics import with_sources_figure
from medqa_core.report.document.answer_tables import generations
from medqa_core.report.document.model import Cell, Column, Table
from medqa_core.report.facts import Facts
from medqa_core.report.names import WORDING
from medqa_core.report.views.metric import MetricView
from medqa_core.report.views.with_sources import PassagesRow, own_hidden, passages_rows
from medqa_core.report.wording.metric import change_text, value_text
from medqa_core.report.wording.protocol import with_sources_lines
from medqa_core.report.wording.with_sources import sentence
from medqa_core.runs.artifacts.retrieval import Recall, Retrieval
from medqa_core.runs.schema.evaluation import WithSources
from pages.shared import charts, document, notices, tasks, theme
from pages.shared.markup import bullets, html, note

RETRIEVAL_HEAD = (
    Column("First passages"),
    Column("Own document found", "number"),
    Column("Shared text found", "number"),
    Column("Shared text by chance", "number"),
)


def there(facts: Facts) -> bool:
    """Whether there is an evaluation of our own that answers with passages compare with."""
    return not (facts.imported or facts.evaluation is None or facts.in_progress)


def with_sources(facts: Facts) -> None:
    """Answers with passages against both models', then how well passages are found; a line where neither is measured.

    Nothing for imported runs, for runs in work, and for those without an evaluation to compare with.
    """
    if facts.evaluation is None or not there(facts):
        return
    found, retrieval = facts.evaluation.with_sources, facts.retrieval
    readers = facts.evaluation.protocol.retrieval is not None
    st.header("And where the library lacks the answer?" if readers else "Does reading passages help?", anchor=False)
    if found is None:
        notices.notice(
            "Answers with passages have not been measured for this run.",
            "A model answers the test questions once more, with passages of "
            + ("other documents than the question’s own." if readers else "training documents before it."),
        )
        if facts.snapshot.has_model:
            tasks.offer("with_sources", facts.run.id)
    else:
        _answers(facts, found, readers)
    if retrieval is not None:
        _passages(retrieval)
    else:
        tasks.offer("retrieval", facts.run.id)


def _answers(facts: Facts, found: WithSources, readers: bool) -> None:
    """`readers`: both models' own answers read passages too, of the whole library."""
    said, rows = sentence(found, of_readers=readers), passages_rows(found)
    if said:
        note(said)
    read = "own document hidden" if own_hidden(found) else "with passages"
    n = max((metric.n or 0 for row in rows for metric in (row.base, row.fine_tuned)), default=0)
    caption = f"The same {count(n)} test questions; {read} − base and {read} − fine-tuned, with 95% intervals."
    document.table(Table.of(_head(read), [_row(row) for row in rows]), caption=caption)
    drawn = [row for name in WORDING for row in rows if row.name == name]
    if drawn:
        chart = with_sources_figure(drawn, theme.palette())
        charts.show(chart, key="with_sources", alt=said or caption, caption="Mean over the test questions.")
    charts.download(
        "Download as CSV", lambda: _frame(found), f"{facts.run.id}-with_sources.csv", key="with_sources-csv"
    )
    body = bullets(f"{label}: {text}" for label, text in with_sources_lines(found))
    made = generations(("with_sources", found.generation))
    if made is not None:
        body += document.table_markup(made, caption="How the generated answers came out; ROUGE rewards length.")
    html(f'<details class="mq-part"><summary>How it was measured</summary>{body}</details>')


def _head(read: str) -> tuple[Column, ...]:
    names = ("Metric", "Base", "Fine-tuned", capital(read), "Against base", "Verdict", "Against fine-tuned", "Verdict")
    return tuple(Column(name, "text" if name in ("Metric", "Verdict") else "number") for name in names)


def _row(row: PassagesRow) -> list[Cell | str | None]:
    values = (row.base.base, row.fine_tuned.base, row.with_passages)
    cells: list[Cell | str | None] = [row.base.label]
    cells += [None if value is None else value_text(row.name, value) for value in values]
    for metric in (row.base, row.fine_tuned):
        cells += _against(metric)
    return cells


def _against(metric: MetricView) -> list[Cell | str | None]:
    return [change_text(metric), Cell.of_verdict(metric.verdict)] if metric.compared else [None, None]


def _frame(found: WithSources) -> pd.DataFrame:
    parts = {"base": found.against_base, "fine_tuned": found.against_fine_tuned}.items()
    return pd.DataFrame(
        [{"against": variant, "metric": str(n), **m.model_dump()} for variant, ms in parts for n, m in ms.items()]
    )


def _passages(retrieval: Retrieval) -> None:
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
    document.table(
        Table.of(RETRIEVAL_HEAD, rows), caption=f"Share of test questions; 95% intervals. {retrieval.method}."
    )


def _share(recall: Recall | None) -> str | None:
    return None if recall is None else share(recall.share, recall.ci)
