"""Finding runs in a store of thousands: what matches, in which order, and how many of them a browser is sent."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from medqa_core.foundation.errors import shorten
from medqa_core.runs.store.index import RunEntry

MOST_OFFERED = 200
"""Runs that a list offers. Of more the first ones are, and words find the others."""

_SHORT = 48
"""Characters of a title in a table's head."""

Order = Callable[[RunEntry], Any]
ORDERS: dict[str, tuple[Order, bool]] = {
    "newest first": (lambda entry: (entry.created_at, entry.id), True),
    "oldest first": (lambda entry: (entry.created_at, entry.id), False),
    "by id": (lambda entry: entry.id.casefold(), False),
    "by title": (lambda entry: (entry.title.casefold(), entry.id), False),
    "by base model": (lambda entry: ((entry.base_model or "~").casefold(), entry.id), False),
}


def matching(entries: Iterable[RunEntry], words: str) -> list[RunEntry]:
    """Those that have every one of the words in their id, title, state, kind, base model, data set or tags."""
    wanted = words.casefold().split()
    return [entry for entry in entries if not wanted or all(word in _text(entry) for word in wanted)]


def ordered(entries: Iterable[RunEntry], order: str) -> list[RunEntry]:
    """The entries in one of `ORDERS`."""
    key, reverse = ORDERS[order]
    return sorted(entries, key=key, reverse=reverse)


def latest(entries: Iterable[RunEntry]) -> RunEntry | None:
    """The run to begin with: of the newest day the one with the highest number; None of none.

    A run's number says where it stands in a series, which the hour at which it was made need not.
    """
    return max(entries, key=lambda one: (one.created_at.date(), one.number or 0, one.created_at, one.id), default=None)


def offered(entries: Sequence[RunEntry], keep: Iterable[str] = ()) -> list[str]:
    """The ids of the first `MOST_OFFERED`, and of those to keep: what is chosen stays on offer."""
    ids = [entry.id for entry in entries[:MOST_OFFERED]]
    there = set(ids)
    return [*ids, *(one for one in dict.fromkeys(keep) if one not in there)]


def labels(entries: Iterable[RunEntry]) -> Callable[[str], str]:
    """What a list to choose from shows for an id: the run's label, of an unknown one the id."""
    found = {entry.id: entry.label for entry in entries}
    return lambda run_id: found.get(run_id, run_id)


def short_names(entries: Iterable[RunEntry]) -> Callable[[str], str]:
    """What a table's heads and captions call each of a few runs: its title, with the id only where titles collide."""
    titles = {entry.id: shorten(entry.title, _SHORT) for entry in entries}
    shared = {title for title, count in Counter(titles.values()).items() if count > 1}
    names = {id: f"{title} · {id}" if title in shared and title != id else title for id, title in titles.items()}
    return lambda run_id: names.get(run_id, run_id)


def _text(entry: RunEntry) -> str:
    parts = (entry.id, entry.title, entry.state, entry.kind, entry.base_model or "", entry.data or "", *entry.tags)
    return "\n".join(parts).casefold()
