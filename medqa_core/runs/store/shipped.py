"""The runs that an installation brings, put once into the user's own store, where they may be voted on and deleted."""

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from medqa_core.foundation import files
from medqa_core.foundation.errors import UnreadableFile
from medqa_core.foundation.settings import Settings, default_store, is_installed, site_folder

UNPACKED = ".shipped.json"
"""The file of a store with the ids of the runs that it was given, so that one that was deleted does not come back."""


def unpack(settings: Settings) -> None:
    """Give the user's store the shipped runs that it was never given; each is copied whole or not at all.

    In a checkout, and in a store that `MEDQA_REPORTS` names, nothing is done. Where the store cannot be written the
    runs are missing from it: whatever needs the store says why.
    """
    if is_installed() and settings.reports == default_store():
        with suppress(OSError):
            unpack_into(settings.reports, site_folder() / "reports")


def unpack_into(store: Path, shipped: Path) -> None:
    """Copy each run of `shipped` that `store` was never given.

    Raises:
        OSError: `store` cannot be written; the run that was being copied is absent from it.
    """
    given = _given(store)
    new = [run for run in sorted(shipped.iterdir()) if run.is_dir() and run.name not in given]
    for run in new:
        _copy(run, store)
    if new:
        files.write_json(store / UNPACKED, sorted(given | {run.name for run in new}))


def _given(store: Path) -> set[str]:
    try:
        return set(files.read_json(store / UNPACKED))
    except (UnreadableFile, TypeError):
        return set()


def _copy(run: Path, store: Path) -> None:
    target = store / run.name
    if os.path.lexists(target):  # a run of the user's own
        return
    temporary = store / f".{run.name}.{uuid.uuid4().hex}.tmp"
    try:
        for file in (path for path in run.rglob("*") if path.is_file()):
            copy = temporary / file.relative_to(run)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)  # without its mode: an installation's files may be read-only
        with suppress(FileExistsError, NotADirectoryError):
            os.rename(temporary, target)
    except OSError:
        if not target.is_dir():  # else another process was first
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
