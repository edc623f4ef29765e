"""A run folder and its copy in another file system, file by file: each is complete or absent on both sides."""

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from medqa_core.foundation.paths import resolve_inside
from medqa_core.runs.artifacts.stop_request import STOP_REQUEST

WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss"})
"""File systems where a file appears at once when it is written; elsewhere it is written aside and moved."""
MARKS = ("size", "mtime", "LastModified", "last_modified", "ETag", "etag", "created", "updated", "md5")
"""What file systems say of a file; where any of it changes, the file has changed."""
NOT_MIRRORED = STOP_REQUEST
"""It travels the other way, from the reader to the worker."""


class Mirror:
    """The two copies, and what is known to be the same in both. One side writes: whoever trains pushes, others pull."""

    def __init__(self, fs: Any, remote: str, folder: Path) -> None:
        """`remote` is the run's path in `fs`, `folder` the one here."""
        self._fs = fs
        self._remote = remote
        self._folder = folder
        kinds = (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
        self._whole = bool(WHOLE & set(kinds))
        self._here: dict[str, tuple[int, int]] = {}
        self._there: dict[str, tuple[str, ...]] = {}

    def push(self) -> int:
        """Copy what has changed here to the other side, and remove what is gone; how many files were copied.

        Raises:
            OSError: the other side cannot be written. The next push tries again.
        """
        found = dict(self._local())
        copied = 0
        for name in sorted(found, key=_last):
            if self._here.get(name) == found[name]:
                continue
            try:
                self._put(name)
            except FileNotFoundError:
                if (self._folder / name).exists():
                    raise
                continue  # it was replaced or removed meanwhile
            self._here[name] = found[name]
            copied += 1
        for name in set(self._here) - set(found):
            target = f"{self._remote}/{name}"
            if self._fs.exists(target):
                self._fs.rm_file(target)
            if not self._whole:  # elsewhere there are no folders, only names
                with suppress(OSError):  # one that still holds something
                    for above in PurePosixPath(name).parents[:-1]:
                        self._fs.rmdir(f"{self._remote}/{above}")
            del self._here[name]
        return copied

    def pull(self) -> int:
        """Copy what has changed on the other side to here; how many files were copied.

        Of what was removed there, only checkpoints are removed here: the reader may have added files of their own.

        Raises:
            OSError: the other side cannot be read, or the disk here not be written.
            OutsideStore: a name on the other side leads out of the run folder.
        """
        self._fs.invalidate_cache()
        found = {name: info for name, info in self._names() if _shown(name)}
        copied = 0
        for name in sorted(found, key=lambda name: (name != "run.json", *_last(name))):
            mark = tuple(str(found[name].get(key)) for key in MARKS)
            target = resolve_inside(self._folder, *PurePosixPath(name).parts)
            if self._there.get(name) == mark and target.exists():
                continue
            try:
                self._get(f"{self._remote}/{name}", target)
            except FileNotFoundError:
                continue  # it was replaced meanwhile
            self._there[name] = mark
            self._here[name] = _stamp(target.stat())
            copied += 1
        for name in [name for name in self._there if name not in found]:
            if name.startswith("checkpoints/"):
                path = resolve_inside(self._folder, *PurePosixPath(name).parts)
                path.unlink(missing_ok=True)
                with suppress(OSError):  # one that still holds something
                    for above in PurePosixPath(name).parents[:-1]:
                        resolve_inside(self._folder, *above.parts).rmdir()
            del self._there[name]
            self._here.pop(name, None)
        return copied

    def _names(self) -> Iterator[tuple[str, dict[str, Any]]]:
        root = self._remote.strip("/")
        for path, info in self._fs.find(self._remote, detail=True).items():
            yield str(path).strip("/").removeprefix(root).strip("/"), info

    def _local(self) -> Iterator[tuple[str, tuple[int, int]]]:
        for path in self._folder.rglob("*"):
            name = path.relative_to(self._folder).as_posix()
            try:
                if _shown(name) and path.is_file() and not path.is_symlink():
                    yield name, _stamp(path.stat())
            except FileNotFoundError:  # a checkpoint that was just replaced
                continue

    def _put(self, name: str) -> None:
        target = PurePosixPath(self._remote) / name
        self._fs.makedirs(str(target.parent), exist_ok=True)
        if self._whole:
            self._fs.put_file(str(self._folder / name), str(target))
            return
        aside = str(target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp"))
        self._fs.put_file(str(self._folder / name), aside)
        self._fs.mv(aside, str(target))

    def _get(self, source: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
        try:
            self._fs.get_file(source, str(temporary))
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def _shown(name: str) -> bool:
    """Whether a file is mirrored: temporary ones start with a dot."""
    return bool(name) and name != NOT_MIRRORED and not any(p.startswith(".") for p in PurePosixPath(name).parts)


def _last(name: str) -> tuple[bool, bool, str]:
    """The order of copying: a manifest after what it lists, the status after what it tells of."""
    return name == "status.json", name.endswith("manifest.json"), name


def _stamp(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns
