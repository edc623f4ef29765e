"""Long curves that were read before: in memory, and in `MEDQA_CACHE` as arrays that are mapped and not read.

Nothing here is trusted over the file. What is kept serves while the file is the same one, has not become shorter, and
starts and ends, as far as it was read, as it did; else it is dropped and the file read anew.
"""

import hashlib
import shutil
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from pydantic import ValidationError

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.files import read_json, sha256_text, write_folder, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.foundation.stamp import FileStamp
from medqa_core.runs.metrics_log.parsed_log import ParsedLog, SplitRows
from medqa_core.runs.metrics_log.rows import HEIGHT, SPLITS
from medqa_core.runs.schema.record import Record

CACHED_FROM = 4 * 2**20
"""Bytes from which a file is worth keeping: a smaller one is parsed in a few hundredths of a second."""
IN_MEMORY = 4
ON_DISK = 24
GROWN = 1.1
"""The copy on the disk is written anew once so many times its bytes were read."""
SAMPLE = 2**16
"""Bytes that are compared at each end."""


class LogFingerprint(Record):
    """Which file a log was read from, and how far."""

    format: Literal[1] = 1
    """Counts up with every change of what a log is or of how a line is read."""
    file: FileStamp
    parsed: int
    odd: int
    sample: str

    @classmethod
    def of(cls, file: BinaryIO, log: ParsedLog) -> "LogFingerprint":
        """What would tell a later reader that the file still begins with this log."""
        return cls(file=FileStamp.of_open(file), parsed=log.parsed, odd=log.odd, sample=_sample(file, log.parsed))

    def fits(self, file: BinaryIO) -> bool:
        """Whether the file is the same one and has only grown."""
        now = FileStamp.of_open(file)
        grown = now.size > self.file.size or (now.size, now.modified) == (self.file.size, self.file.modified)
        return now.same_file(self.file) and grown and self.sample == _sample(file, self.parsed)


@dataclass(frozen=True)
class _Kept:
    fingerprint: LogFingerprint
    log: ParsedLog
    on_disk: int = 0
    """Bytes of the file that the copy on the disk stands for."""


_lock = threading.Lock()  # one reader at a time: many visitors of one run would each parse it
_memory: OrderedDict[Path, _Kept] = OrderedDict()
_saving: dict[Path, threading.Thread] = {}
"""Who writes a copy now."""


def cached_log(path: Path, file: BinaryIO) -> ParsedLog:
    """The log of the opened file at `path`, a real path, up to its last whole line."""
    with _lock:
        kept = _memory.pop(path, None)
        if kept is None or not kept.fingerprint.fits(file):
            kept = _load(path, file)
        log = kept.log if kept else ParsedLog()
        log.read_on(file)
        kept = _memory[path] = _Kept(LogFingerprint.of(file, log), log, kept.on_disk if kept else 0)
        while len(_memory) > IN_MEMORY:
            _memory.popitem(last=False)
        read = log.snapshot()
        if log.parsed > GROWN * kept.on_disk and path not in _saving:
            saved = _Kept(kept.fingerprint, read, read.parsed)
            _saving[path] = thread = threading.Thread(target=_keep, args=(path, saved), name="keep-curve")
            thread.start()
        return read.snapshot()


def await_copies() -> None:
    """Wait until all that is being written is on the disk."""
    for thread in tuple(_saving.values()):
        thread.join()


def forget() -> None:
    """Drop what is in memory, as a new process would begin."""
    await_copies()
    with _lock:
        _memory.clear()


def _keep(path: Path, saved: _Kept) -> None:
    """Write the copy on the disk while the reader already has the log; a process ends when it is written."""
    try:
        written = _save(path, saved)
    finally:
        with _lock:
            del _saving[path]
    with _lock:
        kept = _memory.get(path)
        if written and kept is not None and kept.fingerprint.file.same_file(saved.fingerprint.file):
            _memory[path] = _Kept(kept.fingerprint, kept.log, saved.on_disk)


def _folder(path: Path) -> Path:
    return Settings.from_environment().cache / "metrics_log" / sha256_text(str(path))[:32]


def _load(path: Path, file: BinaryIO) -> _Kept | None:
    try:
        folder = _folder(path)
        fingerprint = LogFingerprint.model_validate(read_json(folder / "fingerprint.json"))
        if not fingerprint.fits(file):
            return None
        blocks = [np.asarray(np.load(folder / f"{split}.npy", mmap_mode="r", allow_pickle=False)) for split in SPLITS]
    except (MedQAError, ValidationError, OSError, ValueError, EOFError):  # absent, damaged, or of another version
        return None
    if any(block.dtype != np.float64 or block.ndim != 2 or block.shape[0] != HEIGHT for block in blocks):
        return None
    log = ParsedLog(SplitRows(blocks[0]), SplitRows(blocks[1]), fingerprint.odd, fingerprint.parsed)
    return _Kept(fingerprint, log, fingerprint.parsed)


def _save(path: Path, kept: _Kept) -> bool:
    def fill(temporary: Path) -> None:
        for split, rows in zip(SPLITS, (kept.log.train, kept.log.validation), strict=True):
            np.save(temporary / f"{split}.npy", rows.block)
        write_json(temporary / "fingerprint.json", kept.fingerprint.model_dump())

    try:
        folder = _folder(path)
        write_folder(folder, fill)
    except (MedQAError, OSError):  # without a cache it is merely slower
        return False
    _prune(folder.parent)
    return True


def _prune(parent: Path) -> None:
    with suppress(OSError):
        found = sorted(parent.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
        for old in found[ON_DISK:]:
            shutil.rmtree(old, ignore_errors=True)


def _sample(file: BinaryIO, parsed: int) -> str:
    file.seek(0)
    digest = hashlib.sha256(file.read(min(SAMPLE, parsed)))
    file.seek(max(0, parsed - SAMPLE))
    digest.update(file.read(min(SAMPLE, parsed)))
    return digest.hexdigest()
