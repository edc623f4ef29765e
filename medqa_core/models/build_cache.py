"""Folders that are built once and kept: complete or absent, checked cheaply, built by one process at a time."""

import logging
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from medqa_core.foundation import files
from medqa_core.foundation.errors import ModelError, UnreadableFile, shorten
from medqa_core.foundation.progress import Progress, silent

T = TypeVar("T")
SEAL = "source.json"
"""The file of such a folder that says what built it and which files it holds."""

# filelock logs each attempt at DEBUG; a program that turns debugging on wants its own lines.
logging.getLogger("filelock").setLevel(logging.INFO)


def is_complete(folder: Path, recipe: str) -> bool:
    """Whether `folder` was built by this `recipe` and each of its files still has the size it was built with.

    Sizes rather than checksums, so that it costs microseconds; a machine that lost power while writing
    leaves files of the wrong size.
    """
    try:
        seal = files.read_json(folder / SEAL)
        return bool(
            seal["recipe"] == recipe
            and seal["files"]
            and all((folder / name).stat().st_size == size for name, size in seal["files"].items())
        )
    except (UnreadableFile, OSError, KeyError, TypeError, AttributeError, ValueError):
        return False


def get_or_build(
    folder: Path, recipe: str, fill: Callable[[Path], dict[str, Any]], progress: Progress = silent
) -> Path:
    """`folder`, built by `fill` if it is not there yet; `fill` returns facts for `source.json`.

    Two processes that ask at once do the work once. What an interrupted attempt left is removed.

    Raises:
        ModelError: the cache folder cannot be written. Whatever `fill` raises passes through.
    """
    if is_complete(folder, recipe):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f".{folder.name}.lock"))
        if not _lock_is_free(lock):
            progress(f"Another process is preparing {folder.name}; waiting for it")
        with lock:
            if not is_complete(folder, recipe):  # unless the process we waited for has just built it
                _clear_leftovers(folder)
                files.write_folder(folder, lambda temporary: _fill_and_seal(temporary, recipe, fill))
    except OSError as error:
        if error.errno is None:  # a library's own use of OSError, nothing to do with the disk
            raise
        raise ModelError(
            f"{folder.name} cannot be written to the cache folder {folder.parent}: "
            f"{error.strerror}; free some space or set MEDQA_CACHE to another folder."
        ) from error
    return folder


def kept(
    folder: Path,
    recipe: str,
    build: Callable[[], T],
    *,
    write: Callable[[T, Path], dict[str, Any]],
    read: Callable[[Path], T],
    unwritable: str,
    damaged: str,
    log: logging.Logger,
) -> T:
    """What `build` makes, read from `folder` where it is kept; a cache that is of no use costs time only.

    Args:
        folder: where it is kept.
        recipe: as for `get_or_build`.
        build: makes it; what it raises passes through.
        write: puts it into a folder; what it returns are facts for `source.json`.
        read: takes it out again; raises OSError, ValueError, KeyError or TypeError where the files are damaged.
        unwritable: what it means that the cache cannot be written, for the log.
        damaged: the line for the log about damaged files, with a place for the folder and one for the error.
        log: whose log.
    """
    built: list[T] = []

    def fill(target: Path) -> dict[str, Any]:
        built.append(build())
        return write(built[0], target)

    try:
        get_or_build(folder, recipe, fill)
        return built[0] if built else read(folder)
    except ModelError as error:
        log.warning("%s %s", error, unwritable)
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning(damaged, folder, shorten(str(error), 200))
    return built[0] if built else build()


def _lock_is_free(lock: FileLock) -> bool:
    """Whether nobody held the lock a moment ago; only for a progress message."""
    try:
        with lock.acquire(blocking=False):
            return True
    except TimeoutError:
        return False


def _fill_and_seal(temporary: Path, recipe: str, fill: Callable[[Path], dict[str, Any]]) -> None:
    facts = fill(temporary)
    sizes = {path.name: path.stat().st_size for path in sorted(temporary.iterdir()) if path.is_file()}
    made = datetime.now(UTC).isoformat(timespec="seconds")
    files.write_json(temporary / SEAL, {"recipe": recipe, **facts, "made_at": made, "files": sizes})


def _clear_leftovers(folder: Path) -> None:
    # Only ever called under the lock, so no living process owns these.
    for pattern in (f".{folder.name}.*.tmp", f".{folder.name}.*.old"):
        for leftover in folder.parent.glob(pattern):
            shutil.rmtree(leftover, ignore_errors=True)
