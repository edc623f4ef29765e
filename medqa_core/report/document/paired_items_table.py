"""Two imported evaluations on the same exam questions as a table."""

from medqa_core.foundation.format import count, interval, p_number, percent
from medqa_core.report.document.model import Cell, Column, Table
from medqa_core.report.views.paired_items import PairedItems

_NUMBERS = ("First", "Second", "Difference", "p", "Questions")
HEAD = (Column("Task"), *(Column(title, "number") for title in _NUMBERS), Column("Verdict"))


def paired_items_table(found: PairedItems) -> Table:
    """A row a task and metric: both shares, the difference with its interval, p-value, questions and verdict."""
    rows = [
        (
            f"{task.task}, {task.metric}",
            percent(task.first),
            percent(task.second),
            interval(task.difference, task.interval, 1, scale=100),
            p_number(task.p),
            count(task.n),
            Cell.of_verdict(task.verdict),
        )
        for task in found.tasks
    ]
    return Table.of(HEAD, rows)
