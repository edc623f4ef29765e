"""Atomic writes, strict JSON and checksums: a reader sees the old file or the new one, never half of one."""

import hashlib
import json
import math
import os
import re
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from medqa_core.foundation import disk
from medqa_core.foundation.errors import UnreadableFile

JSON_LIMIT = 16 * 2**20
"""Largest JSON file that is read, in bytes: thousands of times what any file of a run needs."""

SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
LFS_POINTER = "is a pointer of Git LFS, not the file itself; run `git lfs pull` in its folder"
"""What is said, behind its name, of a file that is one."""
_POINTER_START = b"version https://git-lfs.github.com/spec/"


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Strict JSON (RFC 8259): NaN and infinity raise ValueError instead of being written as bare words."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, indent=indent)


def loads(text: str) -> Any:
    """Parse strict JSON.

    Raises:
        ValueError: not JSON, or it holds NaN, infinity, half of a surrogate pair, or is nested too deeply.
    """

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    def finite(number: str) -> float:
        value = float(number)
        if not math.isfinite(value):
            raise ValueError(f"{number[:20]} is out of range")
        return value

    try:
        value = json.loads(text, parse_constant=refuse, parse_float=finite)
        if SURROGATE.search(text):  # text that no page and no file could be written with
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except UnicodeEncodeError as error:
        raise ValueError("half of a surrogate pair is no text") from error
    return value


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, atomically and durably; the folder is made if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as indented strict JSON."""
    write_text(path, dumps(value, indent=2) + "\n")


def write_folder(path: Path, fill: Callable[[Path], object]) -> None:
    """Replace the folder `path` by what `fill(temporary_folder)` writes: complete or absent, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    previous = path.with_name(f".{path.name}.{uuid.uuid4().hex}.old")
    try:
        temporary.mkdir()
        with disk.told():
            fill(temporary)
        _sync_below(temporary)
        if path.exists():
            os.rename(path, previous)
        try:
            os.rename(temporary, path)
        except BaseException:
            if previous.exists():  # what was there before is better than nothing
                os.rename(previous, path)
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if path.exists():  # else what was moved aside could not be moved back: `recover` will
            shutil.rmtree(previous, ignore_errors=True)
    _sync_folder(path.parent)


def remove_folder(path: Path) -> None:
    """Remove the folder `path`: there or gone, never half. One that is absent or cannot be removed is left at that."""
    hidden = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with suppress(OSError):
        os.rename(path, hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def recover(folder: Path) -> None:
    """Bring to its end what a kill broke off in `folder`, for the one process that makes folders there.

    What `write_folder` had moved aside and not replaced yet goes back; half-written folders go.
    """
    with suppress(OSError):
        for left in sorted(folder.iterdir()):
            found = disk.TEMPORARY.fullmatch(left.name)
            if found is None or not left.is_dir():
                continue
            if found["part"] == "old" and not (folder / found["name"]).exists():
                os.rename(left, folder / found["name"])
            shutil.rmtree(left, ignore_errors=True)


def read_text(path: Path, limit: int = JSON_LIMIT) -> str:
    """A file's text.

    Raises:
        UnreadableFile: missing, not a plain file, larger than `limit` bytes, or not UTF-8.
    """
    try:
        if not path.is_file():
            raise UnreadableFile(f"{path.name} is missing." if not path.exists() else f"{path.name} is not a file.")
        with open(path, "rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise UnreadableFile(f"{path.name} cannot be read: {error.strerror or error}.") from error
    if len(content) > limit:
        raise UnreadableFile(f"{path.name} is larger than {limit // 2**20} MiB; it was not read.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{path.name} is not UTF-8 text (byte {error.start}).") from error


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is what a clone without git-lfs has in place of a large one. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(len(_POINTER_START)) == _POINTER_START


def read_json(path: Path) -> Any:
    """A JSON file's value; a byte order mark before it, as Windows' editors write one, is passed over (RFC 8259, 8.1).

    Raises:
        UnreadableFile: as `read_text`, or the text is not strict JSON.
    """
    text = read_text(path).removeprefix("\ufeff")
    if not text.strip():
        raise UnreadableFile(f"{path.name} is empty.")
    try:
        return loads(text)
    except ValueError as error:
        raise UnreadableFile(f"{path.name} is not valid JSON: {error}.") from error


def sha256(path: Path) -> str:
    """The file's SHA-256 as 64 hex digits, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """The SHA-256 of `text` as UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sync(path: Path) -> None:
    """Wait until what was written to `path` by others is on the disk."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _sync_below(folder: Path) -> None:
    """Wait until all that is in `folder` is on the disk: a name must not get there before what it names."""
    for place, _, names in os.walk(folder):
        for name in names:
            sync(Path(place, name))
        _sync_folder(Path(place))


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
