"""What a table of runs says of each beside what the store lists: its verdict and primary metric, the room it takes."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from medqa_core.foundation.disk import folder_size
from medqa_core.foundation.stamp import FileStamp
from medqa_core.report.names import SIGNS
from medqa_core.report.verdict_words import verdict_words
from medqa_core.report.views.metric import MetricView
from medqa_core.report.views.verdict import Word
from medqa_core.runs import readers
from medqa_core.runs.part_cache import PartCache
from medqa_core.runs.readers import EVALUATION
from medqa_core.runs.reading import Reading
from medqa_core.runs.store.index import RunEntry

_primaries = PartCache(parts=1000, size=sys.maxsize)
"""One metric is kept of each evaluation.json, so the size of the files does not count."""


@dataclass(frozen=True)
class RunRow:
    """One run of the table. What only its folder tells is read once it is asked for: most rows are out of sight."""

    entry: RunEntry
    folder: Path

    @cached_property
    def primary(self) -> MetricView | None:
        """The primary metric as it was compared; None where nothing was. The file is read again only if it changed."""
        if self.entry.state == "unreadable":
            return None
        stamp = FileStamp.of(self.folder / EVALUATION)
        return _primaries.read(self.folder, EVALUATION, stamp, _primary).value

    @cached_property
    def word(self) -> Word | None:
        """The verdict in a word; None where nothing was compared."""
        return None if self.entry.state == "unreadable" else verdict_words(self.folder.parent).word(self.entry.id)

    @cached_property
    def size(self) -> int:
        """Bytes of all files of the run's folder."""
        return folder_size(self.folder)


def _primary(folder: Path) -> Reading[MetricView | None]:
    evaluation = readers.evaluation(folder).value
    name = evaluation.primary_metric if evaluation is not None else None
    metric = evaluation.metrics.get(name) if evaluation is not None and name is not None else None
    view = MetricView.of(str(name), metric) if metric is not None else None
    return Reading(view if view is not None and view.compared else None)


Key = Callable[[RunRow], Any]
ORDERS: dict[str, tuple[Key, bool]] = {
    "Newest first": (lambda row: row.entry.created_at, True),
    "Oldest first": (lambda row: row.entry.created_at, False),
    "Title": (lambda row: row.entry.title.casefold(), False),
    "State": (lambda row: row.entry.state, False),
    "Verdict": (lambda row: _word_rank(row), False),
    "Primary metric": (lambda row: _verdict_rank(row), False),
    "Largest gain": (lambda row: _gain(row), True),
    "Data": (lambda row: (row.entry.data or "~").casefold(), False),
    "Largest on disk": (lambda row: row.size, True),
}
"""How the table can be ordered, and whether that is downwards."""


def in_order(rows: Sequence[RunRow], order: str) -> list[RunRow]:
    """The rows in one of `ORDERS`; those that are equal in it by id."""
    key, downwards = ORDERS[order]
    return sorted(sorted(rows, key=lambda row: row.entry.id), key=key, reverse=downwards)


def _word_rank(row: RunRow) -> int:
    words = get_args(Word)
    return words.index(row.word) if row.word is not None else len(words)


def _verdict_rank(row: RunRow) -> int:
    return list(SIGNS).index(row.primary.verdict) if row.primary is not None else len(SIGNS)


def _gain(row: RunRow) -> float:
    """The primary difference towards better, as a share of the base's value: metrics differ in unit."""
    metric = row.primary
    if metric is None or metric.difference is None or metric.base is None:
        return float("-inf")
    sign = -1.0 if metric.spec.lower_is_better else 1.0
    return sign * metric.difference / max(abs(metric.base), 1e-9)
