"""The run store: the list of runs, and the way to open one or make a new one."""

import errno
import os
import stat
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from medqa_core.foundation import disk
from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import InputError, RunError, RunNotFound, shorten
from medqa_core.foundation.files import write_json
from medqa_core.foundation.paths import RUN_ID, check_run_id, resolve_inside
from medqa_core.runs import records
from medqa_core.runs.artifacts.labels import Labels, read_labels
from medqa_core.runs.artifacts.weights import WEIGHTS
from medqa_core.runs.reading import Reading
from medqa_core.runs.records import state_of
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.record import RunRecord
from medqa_core.runs.schema.status import LIVE, now
from medqa_core.runs.store.index import IndexedRun, RunEntry, load_index, run_stamp, save_index, unchanged
from medqa_core.runs.store.making import finished, making

INDEXED_FROM = 100
"""Runs read at one listing from which the index is written: what fewer cost is not worth it."""


class RunStore:
    """All runs below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, IndexedRun] | None = None
        self._lock = threading.Lock()

    def list(self) -> list[RunEntry]:
        """Every run, newest first; one that cannot be opened is listed with its problem.

        Unchanged runs are not read again: a listing costs three `stat` calls a run, in a new process too where the
        store is large enough for an index.
        """
        try:
            with os.scandir(self.folder) as found:
                links = {e.name: e.is_symlink() for e in found if not e.name.startswith(".") and _may_be_run(e)}
        except OSError:
            return []
        with self._lock:
            if self._known is None:  # a link is never taken from the index: it may lead elsewhere by now
                self._known = {name: one for name, one in load_index(self.folder).items() if not links.get(name)}
            try:
                known = unchanged(self.folder, links, self._known)
            except OSError:
                return []
            changed = [name for name in links if name not in known]
            known |= {name: self._read(name) for name in changed}
            self._known = known
            if len(changed) >= INDEXED_FROM:
                save_index(self.folder, known)
            entries = [one.now() for one in known.values()]
        return sorted(entries, key=lambda entry: (entry.created_at, entry.id), reverse=True)

    def open(self, run_id: str) -> Run:
        """One run.

        Raises:
            InputError: not a run id.
            RunNotFound: no such folder.
            OutsideStore: the folder is a link that leaves the store.
            UnreadableFile: its run.json cannot be read.
        """
        return Run.at(self._there(run_id))

    def _there(self, run_id: str) -> Path:
        folder = self.path(run_id)
        if not folder.is_dir():
            raise RunNotFound(f"No run called {run_id!r}; `{PROGRAM} runs` lists the available ones.")
        return folder

    def path(self, run_id: str) -> Path:
        """The folder that `run_id` has or would have; not its target where it is a link out of the store."""
        return resolve_inside(self.folder, check_run_id(run_id))

    def create(self, record: RunRecord, fill: Callable[[Path], object] | None = None) -> Run:
        """Make the folder of a new run: its run.json and what `fill(folder)` writes, complete or absent.

        Raises:
            InputError: the id is taken or not valid.
            RunError: the store cannot be written.
        """
        folder = self.path(record.id)
        self.check_free(record.id)
        try:
            with making(self.folder, record.id) as temporary:
                write_json(temporary / "run.json", record.model_dump(mode="json"))
                if fill is not None:
                    with disk.told():
                        fill(temporary)
                finished(temporary)
                os.rename(temporary, folder)  # fails where another process was first: its folder is not empty
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR) and os.path.lexists(folder):
                raise _taken(record.id) from error
            raise RunError(f"The run store {self.folder.name} cannot be written: {error.strerror or error}.") from error
        return Run(folder, record)

    def new_record(self, config: TrainConfig, run_id: str | None = None) -> RunRecord:
        """The record of a new run, with what is known before its model and data are read. Nothing is written."""
        return RunRecord(
            id=run_id or self.free_id(config.preset),
            number=self.next_number(),
            title=config.title,
            description=config.description,
            kind="finetune",
            created_at=now(),
            config=config,
        )

    def replace_record(self, run: Run, record: RunRecord) -> Run:
        """Replace the record of a queued run by the one that its worker made; the run with that record."""
        write_json(run.folder / "run.json", record.model_dump(mode="json"))
        return Run(run.folder, record)

    def check_free(self, run_id: str) -> None:
        """Check that a new run may have this id.

        Raises:
            InputError: the id is taken or not valid.
        """
        if os.path.lexists(self.path(run_id)) or os.path.lexists(self.folder / run_id):
            raise _taken(run_id)

    def next_number(self) -> int:
        """One more than the highest number of any run."""
        return max((entry.number or 0 for entry in self.list()), default=0) + 1

    def free_id(self, wanted: str) -> str:
        """`wanted`, or `wanted-2`, `wanted-3`, … if it is taken."""
        taken = {entry.id for entry in self.list()}
        return next(c for n in range(1, len(taken) + 2) if (c := wanted if n == 1 else f"{wanted}-{n}") not in taken)

    def _read(self, name: str) -> IndexedRun:
        stamp = run_stamp(f"{self.folder}/{name}")
        try:
            folder = self._there(name)
            labels = read_labels(folder).value or Labels()
            run = Run.at(folder, labels)
            r = run.record
            found = records.status(run.folder) if r.kind == "finetune" else Reading(None)
            status = found.value
            state = status.state if status is not None else state_of(r, None)
            problem = "; ".join(found.problems) or None
            entry = RunEntry(
                name,
                r.title,
                r.kind,
                state,
                r.created_at,
                r.number,
                problem,
                base_model=r.base_model.id if r.base_model else None,
                data=r.data.source if r.data else r.config.dataset if r.config else None,
                split_hash=r.data.split_hash if r.data else None,
                preset=r.config.preset if r.config else None,
                tags=labels.tags,
                archived=labels.archived,
            )
            return IndexedRun(stamp, entry, status if status and state in LIVE else None)
        except (RunError, InputError, OSError) as error:
            shown = name if RUN_ID.fullmatch(name) else ascii(shorten(name))
            return IndexedRun(stamp, RunEntry.unreadable(shown, str(error)))


def _may_be_run(found: "os.DirEntry[str]") -> bool:
    return found.is_dir(follow_symlinks=False) or found.is_symlink()


def _taken(run_id: str) -> InputError:
    return InputError(f"{run_id!r} is taken; choose another one with --run-id.", field="run id")


def answerable(store: RunStore, entries: Sequence[RunEntry] | None = None) -> list[RunEntry]:
    """The runs that hold a model to ask, newest first; of `entries`, or of the whole store listed anew."""
    listed = store.list() if entries is None else entries
    return [entry for entry in listed if entry.base_model is not None and _holds_model(store, entry.id)]


def _holds_model(store: RunStore, run_id: str) -> bool:
    for name, file in WEIGHTS.items():
        folder = f"{store.folder}/{run_id}/{name}"
        modes = _mode(folder), _mode(f"{folder}/{file}")
        if stat.S_ISDIR(modes[0]) and stat.S_ISREG(modes[1]):
            return True
        if any(map(stat.S_ISLNK, modes)):  # which may lead anywhere
            try:
                run = store.open(run_id)
            except (RunError, InputError):
                return False
            return bool(run.adapter_folder() or run.model_folder())
    return False


def _mode(path: str) -> int:
    try:
        return os.lstat(path).st_mode
    except (OSError, ValueError):
        return 0
