"""The run store: the list of runs, and the way to open one or make a new one."""

import errno
import os
import shutil
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from medqa_core.foundation.errors import InputError, RunError, RunNotFound, shorten
from medqa_core.foundation.files import write_json
from medqa_core.foundation.paths import RUN_ID, check_run_id, resolve_inside
from medqa_core.runs.config import TrainConfig
from medqa_core.runs.run import LOG_TAIL, WRITE_UPS, Run, read_model
from medqa_core.runs.schema import RunRecord
from medqa_core.runs.status import Status, derived_state, now

__all__ = ["LOG_TAIL", "WRITE_UPS", "Run", "RunEntry", "RunStore", "read_model"]


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


class RunStore:
    """All runs below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entries: dict[str, tuple[tuple[int, ...], RunEntry, Status | None]] = {}
        self._lock = threading.Lock()

    def list(self) -> list[RunEntry]:
        """Every run, newest first; one that cannot be opened is listed with its problem.

        Unchanged runs are not read again: a listing costs two `stat` calls a run.
        """
        try:
            with os.scandir(self.folder) as found:
                names = [e.name for e in found if not e.name.startswith(".") and (e.is_symlink() or e.is_dir())]
        except OSError:
            return []
        with self._lock:
            entries = [self._entry(name) for name in names]
            self._entries = {name: self._entries[name] for name in names if name in self._entries}
        return sorted(entries, key=lambda entry: (entry.created_at, entry.id), reverse=True)

    def open(self, run_id: str) -> Run:
        """One run.

        Raises:
            InputError: not a run id.
            RunNotFound: no such folder.
            OutsideStore: the folder is a link that leaves the store.
            UnreadableFile: its run.json cannot be read.
        """
        folder = self.path(run_id)
        if not folder.is_dir():
            raise RunNotFound(f"There is no run {run_id!r} in the store; `python -m medqa_core runs` lists them.")
        return Run(folder, read_model(folder, "run.json", RunRecord))

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
        temporary = self.folder / f".{record.id}.{uuid.uuid4().hex}.tmp"
        self.refuse_taken(record.id)
        try:
            temporary.mkdir(parents=True)
            write_json(temporary / "run.json", record.model_dump(mode="json"))
            if fill is not None:
                fill(temporary)
            os.rename(temporary, folder)  # fails where another process was first: its folder is not empty
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR) and os.path.lexists(folder):
                raise _taken(record.id) from error
            raise RunError(f"The run store {self.folder.name} cannot be written: {error.strerror or error}.") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return Run(folder, record)

    def draft(self, config: TrainConfig, run_id: str | None = None) -> RunRecord:
        """The record of a new run with what is known before its model and data are read. Nothing is written."""
        return RunRecord(
            id=run_id or self.free_id(config.preset),
            number=self.next_number(),
            title=config.title,
            objective=config.objective,
            kind="finetune",
            created_at=now(),
            config=config,
        )

    def complete(self, run: Run, record: RunRecord) -> None:
        """Replace the record of a queued run by the one that its worker made."""
        write_json(run.folder / "run.json", record.model_dump(mode="json"))
        run.record = record

    def refuse_taken(self, run_id: str) -> None:
        """Do nothing if a run may be called that.

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

    def _entry(self, name: str) -> RunEntry:
        stamp: tuple[int, ...] = ()
        for file in ("run.json", "status.json"):
            try:
                found = os.stat(self.folder / name / file)
                stamp += (found.st_mtime_ns, found.st_size, found.st_ino)
            except (OSError, ValueError):
                stamp += (0, 0, 0)
        known = self._entries.get(name)
        if known is None or known[0] != stamp:
            known = (stamp, *self._read_entry(name))
            self._entries[name] = known
        entry, status = known[1], known[2]
        if status is None:
            return entry
        return RunEntry(
            entry.id, entry.title, entry.kind, derived_state(status), entry.created_at, entry.number, entry.problem
        )

    def _read_entry(self, name: str) -> tuple[RunEntry, Status | None]:
        shown = name if RUN_ID.fullmatch(name) else ascii(shorten(name))
        try:
            run = self.open(name)
            status = run.status() if run.record.kind == "finetune" else None
            state = run.state if status is None else status.state
            problem = "; ".join(run.problems) or None
            r = run.record
            return RunEntry(name, r.title, r.kind, state, r.created_at, r.number, problem), status
        except (RunError, InputError, OSError) as error:
            return RunEntry(
                shown, shown, "unknown", "unreadable", datetime.min.replace(tzinfo=UTC), None, str(error)
            ), None


def _taken(run_id: str) -> InputError:
    return InputError(f"run id: {run_id!r} is taken; choose another one with --run-id.")


def answerable(store: RunStore) -> list[RunEntry]:
    """The runs that hold a model to ask, newest first."""
    found = []
    for entry in store.list():
        try:
            run = store.open(entry.id)
        except (RunError, InputError):
            continue
        if run.record.base_model is not None and (run.adapter or run.model):
            found.append(entry)
    return found
