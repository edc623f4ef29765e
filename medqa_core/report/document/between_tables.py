"""Two runs against each other as a table."""

from medqa_core.evaluation.between_runs import BetweenRuns
from medqa_core.foundation.format import capital, p_number
from medqa_core.report.document.model import Cell, Column, Table
from medqa_core.report.names import METRICS
from medqa_core.report.wording.between_runs import views
from medqa_core.report.wording.metric import change_text, value_text


def between_table(found: BetweenRuns) -> Table:
    """A row a metric: both runs' values, the difference with its interval, p-value and verdict."""
    rows = []
    for name, metric in views(found).items():
        about = ("lower is better",) if METRICS[name].lower_is_better else ()
        rows.append(
            (
                Cell(capital(METRICS[name].label), about),
                value_text(name, metric.base),
                value_text(name, metric.fine_tuned),
                change_text(metric),
                None if metric.p is None else p_number(metric.p),
                Cell.of_verdict(metric.verdict, (metric.reason,) if metric.reason else ()),
            )
        )
    heads = [Column(title, "number") for title in (found.first, found.second, "Difference", "p")]
    return Table.of(("Metric", *heads, f"{found.second} is"), rows)
