"""What the list of runs says of each, kept in `MEDQA_CACHE` so that a new process need not open every run.

The index is never trusted over the runs: an entry serves while run.json, status.json and labels.json are, by their time
of change, size and inode, the files that it was made from. It can be deleted at any time, and one that is damaged is
not used.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.files import dumps, loads, read_text, sha256_text, write_text
from medqa_core.foundation.settings import Settings
from medqa_core.foundation.stamp import ABSENT, FileStamp
from medqa_core.runs.artifacts.labels import LABELS
from medqa_core.runs.records import RECORD, STATUS
from medqa_core.runs.schema.status import Status, derived_state

FORMAT = 4
"""Counts up with every change of what an entry is or of how a run is read."""
LIMIT = 256 * 2**20
"""Bytes of an index that is read: about a million runs."""


@dataclass(frozen=True)
class RunEntry:
    """One line of the list of runs; `problem` says why a run cannot be opened."""

    id: str
    title: str
    kind: str
    state: str
    created_at: datetime
    number: int | None = None
    problem: str | None = None
    base_model: str | None = None
    data: str | None = None
    """The data set's name."""
    split_hash: str | None = None
    """Of the split that it was tested on; runs with the same one have the same test questions."""
    preset: str | None = None
    tags: tuple[str, ...] = ()
    archived: bool = False

    @property
    def label(self) -> str:
        """How lists to choose from name it: its title, and the id that tells runs of one title apart."""
        return self.id if self.title == self.id else f"{self.title} · {self.id}"

    @classmethod
    def unreadable(cls, shown: str, problem: str) -> "RunEntry":
        """The line of a run that cannot be opened."""
        return cls(shown, shown, "unknown", "unreadable", datetime.min.replace(tzinfo=UTC), None, problem)


LOOKED_AT = (RECORD, STATUS, LABELS)
"""The files that an entry is made from."""
RunStamp = tuple[FileStamp, ...]
"""Of each of them."""


class IndexedRun(NamedTuple):
    """An entry, the files that it was made from, and the status that claims a live state."""

    stamp: RunStamp
    entry: RunEntry
    live_status: Status | None = None

    def now(self) -> RunEntry:
        """The entry with the state that a reader may conclude at this moment."""
        state = derived_state(self.live_status) if self.live_status else self.entry.state
        return self.entry if state == self.entry.state else replace(self.entry, state=state)


def run_stamp(folder: str) -> RunStamp:
    """The stamps of the files that a run's entry is made from."""
    return tuple(FileStamp.of(f"{folder}/{file}") for file in LOOKED_AT)


def unchanged(store: Path, names: Iterable[str], known: Mapping[str, IndexedRun]) -> dict[str, IndexedRun]:
    """Those of the runs `names` whose files are the ones that their entry was made from.

    Three `stat` calls a run and next to nothing else: relative to the opened store, which spares the system the way
    there, and without an object for each. A run folder's own time of change would be one call, but does not tell of a
    file that was rewritten in place.

    Raises:
        OSError: the store cannot be opened.
    """
    found = {}
    with _opened(store) as look:
        for name in names:
            one = known.get(name)
            if one is not None and all(
                look(f"{name}/{file}") == stamp for file, stamp in zip(LOOKED_AT, one.stamp, strict=True)
            ):
                found[name] = one
    return found


@contextmanager
def _opened(store: Path) -> Iterator[Callable[[str], tuple[int, int, int, int]]]:
    """What gives the stamp of a path below the store, as a plain tuple."""
    stat = os.stat
    here = os.open(store, os.O_RDONLY) if stat in os.supports_dir_fd else None

    def look(path: str) -> tuple[int, int, int, int]:
        try:
            found = stat(path, dir_fd=here) if here is not None else stat(f"{store}/{path}")
        except (OSError, ValueError):
            return ABSENT
        return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev

    try:
        yield look
    finally:
        if here is not None:
            os.close(here)


def load_index(store: Path) -> dict[str, IndexedRun]:
    """The index of a store by folder name; empty where there is none to use."""
    try:
        value = loads(read_text(_path(store), LIMIT))
        if value["format"] != FORMAT or value["store"] != str(store.resolve()):
            return {}
        return {name: _indexed(row) for name, row in value["runs"].items()}
    except (MedQAError, ValidationError, OSError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return {}


def save_index(store: Path, known: Mapping[str, IndexedRun]) -> None:
    """Write the index; runs that cannot be opened are left out, and so are looked at again by each process."""
    rows = {name: _row(one) for name, one in known.items() if one.entry.state != "unreadable"}
    try:
        value = {"format": FORMAT, "store": str(store.resolve()), "runs": rows}
        write_text(_path(store), dumps(value))
    except (MedQAError, OSError, ValueError):  # without an index the next process is merely slower
        return


def _path(store: Path) -> Path:
    return Settings.from_environment().cache / "run-lists" / f"{sha256_text(str(store.resolve()))[:32]}.json"


def _row(one: IndexedRun) -> list[Any]:
    entry = asdict(one.entry) | {"created_at": one.entry.created_at.isoformat()}
    return [one.stamp, entry, one.live_status.model_dump(mode="json") if one.live_status else None]


def _indexed(row: Any) -> IndexedRun:
    stamps, said, live = row
    entry = _ENTRY.validate_python(said)
    if entry.created_at.tzinfo is None or len(stamps) != len(LOOKED_AT):
        raise ValueError("not an index")
    return IndexedRun(
        tuple(FileStamp(*stamp) for stamp in stamps), entry, Status.model_validate(live) if live else None
    )


_ENTRY = TypeAdapter(RunEntry)
