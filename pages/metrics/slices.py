"""The metrics page's slices: each metric by question type or by the source of the question."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from medqa_core.foundation.format import capital
from medqa_core.report.document.tables import Slices, slices_in_detail
from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS
from medqa_core.runs.schema.evaluation import HOLM
from pages.shared import charts, document


def there(facts: Facts) -> bool:
    """Whether the evaluation holds slices."""
    return facts.evaluation is not None and bool(facts.evaluation.by_question_type or facts.evaluation.by_source)


def slices(facts: Facts) -> None:
    """One metric by type or by source; nothing where the evaluation holds neither."""
    e = facts.evaluation
    if e is None:
        return
    known: dict[str, Slices] = {"question type": e.by_question_type, "source": e.by_source}
    there = {name: found for name, found in known.items() if found}
    if not there:
        return
    st.header("By question type and source" if len(there) > 1 else f"By {next(iter(there))}", anchor=False)
    with st.container(horizontal=True, gap="small"):
        by = next(iter(there))
        if len(there) > 1:
            by = st.segmented_control(
                "Slices",
                list(there),
                default=by,
                required=True,
                format_func=lambda name: f"By {name}",
                key="slices",
                bind="query-params",
                label_visibility="collapsed",
            )
        names = [name for name in METRICS if any(name in metrics for metrics in there[by].values())]
        name = e.primary_metric if e.primary_metric in names else names[0]
        if len(names) > 1:
            name = st.segmented_control(
                "Metric",
                names,
                default=name,
                required=True,
                format_func=lambda n: capital(METRICS[n].label),
                key="metric",
                bind="query-params",
                label_visibility="collapsed",
            )
    _table(by, there[by], name, corrected=e.by_question_type_correction == HOLM)
    charts.download("Download all slices as CSV", lambda: _frame(there), f"{facts.run.id}-slices.csv", key="slices-csv")


def _table(by: str, found: Slices, name: str, *, corrected: bool) -> None:
    chance = (
        f"p-values and verdicts are corrected for the number of {by}s (Holm)"
        if corrected
        else "among many, some differ by chance"
    )
    caption = f"{capital(METRICS[name].label)} by {by}, most questions first; {chance}."
    document.table(slices_in_detail(by, found, name), caption=caption)


def _frame(there: Mapping[str, Slices]) -> pd.DataFrame:
    rows = [
        {"by": by, "slice": key, "metric": name, **metric.model_dump()}
        for by, found in there.items()
        for key, metrics in found.items()
        for name, metric in metrics.items()
    ]
    return pd.DataFrame(rows)
