"""Two runs against each other as a table."""

from medqa_core.evaluation.between_runs import BetweenRuns
from medqa_core.foundation.format import capital, p_number
from medqa_core.report.document.model import Cell, Column, Table
from medqa_core.report.names import CONTROLS, METRICS
from medqa_core.report.views.between_runs import ControlValues
from medqa_core.report.wording.between_runs import views
from medqa_core.report.wording.metric import change_text, value_text


def between_table(found: BetweenRuns, controls: ControlValues) -> Table:
    """A row a metric: both runs' values, the difference with its interval, p-value and verdict, and the controls'."""
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
                *(_control(name, values.get(name, (None, None))) for values in controls.values()),
            )
        )
    heads = [Column(title, "number") for title in (found.first, found.second, "Difference", "p")]
    beside = [Column(capital(CONTROLS[name]), "number") for name in controls]
    return Table.of(("Metric", *heads, f"{found.second} is", *beside), rows)


def _control(name: str, values: tuple[float | None, float | None]) -> Cell:
    """A control's value; of runs in which it differs, as their training answers do, both."""
    texts = dict.fromkeys(value_text(name, value) for value in values if value is not None)
    return Cell(" / ".join(texts) or None)
