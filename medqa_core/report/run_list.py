"""What a table of runs says of each beside what the store lists: the verdict, its figure, and the room it takes."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from medqa_core.foundation.stamp import FileStamp
from medqa_core.report.names import SIGNS
from medqa_core.report.views.metric import MetricView
from medqa_core.runs import readers
from medqa_core.runs.part_cache import PartCache
from medqa_core.runs.readers import EVALUATION
from medqa_core.runs.store.index import RunEntry
from medqa_core.runs.store.run_store import RunStore

_evaluations = PartCache(parts=1000, size=32 * 2**20)


@dataclass(frozen=True)
class RunRow:
    """One run of the table."""

    entry: RunEntry
    primary: MetricView | None
    """The primary metric as it was compared; None where nothing was."""
    size: int
    """Bytes of all files of the run's folder."""


def run_row(store: RunStore, entry: RunEntry) -> RunRow:
    """The row of a run; its evaluation is read again only where the file has changed."""
    folder = store.folder / entry.id
    if entry.state == "unreadable":
        return RunRow(entry, None, folder_size(str(folder)))
    stamp = FileStamp.of(folder / EVALUATION)
    evaluation = _evaluations.read(folder, EVALUATION, stamp, readers.evaluation).value
    name = evaluation.primary_metric if evaluation is not None else None
    metric = evaluation.metrics.get(name) if evaluation is not None and name is not None else None
    view = MetricView.of(str(name), metric) if metric is not None else None
    return RunRow(entry, view if view is not None and view.compared else None, folder_size(str(folder)))


def folder_size(folder: str) -> int:
    """Bytes of all files below a folder, links not followed; what cannot be looked at counts nothing."""
    total, left = 0, [folder]
    while left:
        try:
            with os.scandir(left.pop()) as found:
                for entry in found:
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


Key = Callable[[RunRow], Any]
ORDERS: dict[str, tuple[Key, bool]] = {
    "Newest first": (lambda row: row.entry.created_at, True),
    "Oldest first": (lambda row: row.entry.created_at, False),
    "Title": (lambda row: row.entry.title.casefold(), False),
    "State": (lambda row: row.entry.state, False),
    "Verdict": (lambda row: _verdict_rank(row), False),
    "Largest gain": (lambda row: _gain(row), True),
    "Data": (lambda row: (row.entry.data or "~").casefold(), False),
    "Largest on disk": (lambda row: row.size, True),
}
"""How the table can be ordered, and whether that is downwards."""


def in_order(rows: Sequence[RunRow], order: str) -> list[RunRow]:
    """The rows in one of `ORDERS`; those that are equal in it by id."""
    key, downwards = ORDERS[order]
    return sorted(sorted(rows, key=lambda row: row.entry.id), key=key, reverse=downwards)


def _verdict_rank(row: RunRow) -> int:
    return list(SIGNS).index(row.primary.verdict) if row.primary is not None else len(SIGNS)


def _gain(row: RunRow) -> float:
    """The primary difference towards better, as a share of the base's value: metrics differ in unit."""
    metric = row.primary
    if metric is None or metric.difference is None or metric.base is None:
        return float("-inf")
    sign = -1.0 if metric.spec.lower_is_better else 1.0
    return sign * metric.difference / max(abs(metric.base), 1e-9)
