"""Two imported evaluations against each other, item by item: which one answers more of the same questions right.

Only items that exactly one of them got right tell the two apart: McNemar's exact test and Tango's interval, as for MMLU
(`mcnemar`). Items that are scored in between right and wrong are left out and counted.
"""

from dataclasses import dataclass, replace

import pandas as pd
from scipy.stats import binomtest

from medqa_core.evaluation.mcnemar import score_interval
from medqa_core.evaluation.rule import LEVEL
from medqa_core.runs.schema.evaluation import Verdict, holm

FEWEST = 10
"""Items that both must have for a verdict."""


@dataclass(frozen=True)
class PairedTask:
    """One task on the items that both evaluations hold."""

    task: str
    metric: str
    first: float
    """Share of the items that the first one answers right."""
    second: float
    difference: float
    """second − first."""
    interval: tuple[float, float]
    """At 95%."""
    p: float
    """Corrected for the number of tasks by Holm."""
    n: int
    of_first: int
    """Items of the first evaluation, those included that the second one lacks; likewise the next."""
    of_second: int
    verdict: Verdict
    """Of the second one: `better`, `worse` or `cannot tell`."""


def paired_tasks(first: pd.DataFrame, second: pd.DataFrame) -> list[PairedTask]:
    """Every task that both have items of, in the first one's order.

    Args:
        first: rows of `items.parquet`.
        second: the same of the other run.
    """
    keys = ["task", "metric", "item"]
    one, other = (rows.drop_duplicates(keys) for rows in (first, second))
    joined = one.merge(other, on=keys, suffixes=("_first", "_second"))
    found = []
    for (task, metric), rows in joined.groupby(["task", "metric"], sort=False):
        right = rows[["value_first", "value_second"]]
        whole = rows[right.isin([0.0, 1.0]).all(axis=1)]
        n = len(whole)
        if n == 0:
            continue
        won = int(((whole["value_first"] == 0) & (whole["value_second"] == 1)).sum())
        lost = int(((whole["value_first"] == 1) & (whole["value_second"] == 0)).sum())
        p = float(binomtest(won, won + lost).pvalue) if won + lost else 1.0
        sizes = [int(((r["task"] == task) & (r["metric"] == metric)).sum()) for r in (one, other)]
        found.append(
            PairedTask(
                task=str(task),
                metric=str(metric),
                first=float(whole["value_first"].mean()),
                second=float(whole["value_second"].mean()),
                difference=(won - lost) / n,
                interval=score_interval(won, lost, n),
                p=p,
                n=n,
                of_first=sizes[0],
                of_second=sizes[1],
                verdict="cannot tell",
            )
        )
    adjusted = holm({place: task.p for place, task in enumerate(found)})
    return [_judged(task, adjusted[place]) for place, task in enumerate(found)]


def _judged(task: PairedTask, p: float) -> PairedTask:
    """The task with its p-value corrected for the number of tasks, and the verdict that this supports."""
    clear = task.n >= FEWEST and p <= 1 - LEVEL
    verdict: Verdict = "cannot tell" if not clear else "better" if task.difference > 0 else "worse"
    return replace(task, p=p, verdict=verdict)
