"""Runs that are being made: hidden folders that name their maker, so that what a kill leaves behind goes."""

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from medqa_core.foundation.disk import TEMPORARY
from medqa_core.foundation.errors import UnreadableFile
from medqa_core.foundation.files import read_json, write_json
from medqa_core.runs.schema.status import ProcessIdentity

MAKER = ".maker.json"
BIN = ".bin"
QUIET = 86_400.0
"""Seconds without a write after which a folder is nobody's whose maker is not known, or is on another machine."""


@contextmanager
def making(store: Path, run_id: str) -> Iterator[Path]:
    """A folder for the block to fill, and to call `finished` on before it renames it; else it goes with the block.

    What killed processes left in the store goes first.

    Raises:
        OSError: the store cannot be written.
    """
    sweep(store)
    temporary = store / f".{run_id}.{uuid.uuid4().hex}.tmp"
    try:
        temporary.mkdir(parents=True)
        write_json(temporary / MAKER, ProcessIdentity.current().model_dump(mode="json"))
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def finished(folder: Path) -> None:
    """Say that the folder is complete: it is nobody's work any more, and may be renamed."""
    (folder / MAKER).unlink()


def sweep(store: Path) -> int:
    """Remove what processes that were killed left half-made, or half-removed, in the store and its bin; how many.

    What a living process makes stays, and so does what one of another machine may be making.
    """
    swept = 0
    for place in (store, store / BIN):
        names: list[str] = []
        with suppress(OSError):
            names = [entry.name for entry in os.scandir(place) if entry.is_dir(follow_symlinks=False)]
        for name in names:
            if TEMPORARY.fullmatch(name) and _is_left(place / name):
                shutil.rmtree(place / name, ignore_errors=True)
                swept += 1
    return swept


def _is_left(folder: Path) -> bool:
    try:
        maker = ProcessIdentity.model_validate(read_json(folder / MAKER))
    except (UnreadableFile, ValidationError, OSError):
        maker = None
    if maker is not None and not maker.elsewhere:
        return not maker.is_alive()
    return time.time() - _last_written(folder) > QUIET


def _last_written(folder: Path) -> float:
    """When anything in the folder was last written; now, where that cannot be told."""
    try:
        return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:
        return time.time()
