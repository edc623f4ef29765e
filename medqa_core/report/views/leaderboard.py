"""Runs by their blind votes: how often people preferred the fine-tuned model's answer to that of its base model."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.stamp import ABSENT, FileStamp
from medqa_core.report.views.votes import Tally, current_sha256, tally
from medqa_core.runs.artifacts.votes import VOTES, read_votes
from medqa_core.runs.store.index import RunEntry
from medqa_core.runs.store.run_store import RunStore

LEAST = 20
"""Decided votes below which no share is stated: its interval would be up to 60 points wide or wider."""
MOST = 50
"""Runs with votes that are looked at: the weights of each are hashed once."""


@dataclass(frozen=True)
class Standing:
    """One run with votes on the weights that it has now."""

    id: str
    title: str
    tally: Tally

    @property
    def stated(self) -> bool:
        """Whether it has the votes from which a share is stated."""
        return self.tally.wins.n >= LEAST


def leaderboard(store: RunStore, entries: Iterable[RunEntry]) -> list[Standing]:
    """Of these runs those that have votes: those with a share first and by it, the others by the number of votes."""
    found: list[Standing] = []
    for entry in entries:
        if len(found) < MOST and FileStamp.of(store.folder / entry.id / VOTES) != ABSENT:
            found += _standing(store, entry.id)
    return sorted(found, key=_order)


def _standing(store: RunStore, run_id: str) -> list[Standing]:
    try:
        run = store.open(run_id)
    except MedQAError:  # gone, or damaged since it was listed
        return []
    counted = _tally(run.folder, FileStamp.of(run.folder / VOTES), current_sha256(run))
    return [Standing(run.id, run.record.title, counted)] if counted.votes else []


def _order(one: Standing) -> tuple[bool, float, int, str]:
    share = one.tally.wins.share if one.stated else None
    return not one.stated, -(share or 0.0), -one.tally.votes, one.id


@lru_cache(maxsize=2 * MOST)
def _tally(folder: Path, _stamp: FileStamp, sha256: str | None) -> Tally:
    return tally(read_votes(folder).value or (), sha256)
