"""Deleted runs: whole folders in the store's `.bin/`, from which they can be restored for 30 days.

The bin is a folder of the store, so that a run goes there and comes back in one rename: it is in one of the two places
at any time, and no copy of gigabytes is made.
"""

import errno
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from medqa_core.foundation.errors import InputError, RunError, RunNotFound
from medqa_core.foundation.files import remove_folder
from medqa_core.foundation.paths import RUN_ID, check_run_id
from medqa_core.runs.run import Run
from medqa_core.runs.store.lock import changing
from medqa_core.runs.store.making import BIN
from medqa_core.runs.store.run_store import RunStore

KEPT = timedelta(days=30)
_STAMP = "%Y%m%dT%H%M%S%fZ"
_NAME = re.compile(rf"(?P<id>{RUN_ID.pattern})~(?P<when>\d{{8}}T\d{{12}}Z)")


@dataclass(frozen=True)
class DeletedRun:
    """A run in the bin."""

    id: str
    deleted_at: datetime
    folder: Path

    @cached_property
    def title(self) -> str:
        """What it was called; its id where that cannot be read (any more)."""
        try:
            return Run.at(self.folder).record.title
        except (RunError, OSError):
            return self.id

    @property
    def gone_at(self) -> datetime:
        """When it is removed for good."""
        return self.deleted_at + KEPT


def delete(store: RunStore, run_id: str) -> DeletedRun:
    """Move a run to the bin, whatever state its files are in. Of a link the link goes, never what it leads to.

    Nothing here looks whether something works on the run: `jobs.remove` does, and is what pages and commands call.

    Raises:
        InputError: not a run id.
        RunNotFound: no such run.
        RunError: the store cannot be written, or the run lies on another disk than the store.
    """
    folder = store.folder / check_run_id(run_id)
    with changing(store.folder):
        if not os.path.lexists(folder):
            raise RunNotFound(f"No run called {run_id!r}: it was deleted, or never there.")
        earlier = [run.deleted_at for run in deleted(store) if run.id == run_id]
        # Under one id the last deleted is the newest, also where the clock was set back since.
        when = max([moment(), *(one + timedelta(microseconds=1) for one in earlier)])
        target = store.folder / BIN / f"{run_id}~{when.strftime(_STAMP)}"
        target.parent.mkdir(exist_ok=True)
        _rename(folder, target)
    return DeletedRun(run_id, when, target)


def deleted(store: RunStore) -> list[DeletedRun]:
    """The runs in the bin, the last deleted one first."""
    try:
        names = [(name, found) for name in os.listdir(store.folder / BIN) if (found := _NAME.fullmatch(name))]
    except OSError:
        return []
    runs = []
    for name, found in names:
        try:
            when = datetime.strptime(found["when"], _STAMP).replace(tzinfo=UTC)
        except ValueError:  # no date that a calendar has: not made here
            continue
        runs.append(DeletedRun(found["id"], when, store.folder / BIN / name))
    return sorted(runs, key=lambda run: (run.deleted_at, run.id), reverse=True)


def restore(store: RunStore, run_id: str, *, new_id: str | None = None, deleted_at: datetime | None = None) -> str:
    """Put the run that was deleted last under this id back; the id that it has now.

    Args:
        store: where its bin is.
        run_id: the id that it was deleted under.
        new_id: another one for it.
        deleted_at: of several that were deleted under this id the one deleted then, not the last.

    Raises:
        InputError: no such run in the bin, or its id is taken by now and `new_id` is not given, or taken too.
        RunError: the store cannot be written.
    """
    wanted = check_run_id(new_id or run_id)
    with changing(store.folder):
        there = (run for run in deleted(store) if run.id == run_id)
        found = next((run for run in there if deleted_at in (None, run.deleted_at)), None)
        if found is None:
            raise InputError(f"{run_id!r} is not in the bin: never deleted, restored already, or gone after 30 days.")
        if os.path.lexists(store.folder / wanted):
            raise InputError(f"{wanted!r} is taken by another run; restore it under another id.", field="run id")
        _rename(found.folder, store.folder / wanted)
    return wanted


def empty(store: RunStore, *, before: datetime | None = None) -> int:
    """Remove for good what was deleted before this moment, by default 30 days ago; how many runs that were.

    Whoever lists or deletes runs calls this, so that nothing has to stay alive for it.
    """
    limit = before or moment() - KEPT
    old = [run for run in deleted(store) if run.deleted_at < limit]
    for run in old:
        if run.folder.is_symlink():
            run.folder.unlink(missing_ok=True)
        else:
            remove_folder(run.folder)
    return len(old)


def moment() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def _rename(folder: Path, target: Path) -> None:
    try:
        os.rename(folder, target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise RunError(
                f"{folder.name} lies on another disk than the run store: move or remove its folder by hand."
            ) from error
        raise
