"""A disk that fails at a chosen call: the N-th that writes below a folder, once or from then on."""

import builtins
import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError
from safetensors.torch import save_file

from medqa_core.training import checkpoint
from tests.support.written import Written

NEVER = 10**9


class FailingDisk:
    """Stands in front of the calls by which files below `root` change; removing something never fails."""

    def __init__(self, root: Path, number: int = errno.ENOSPC) -> None:
        self.calls: list[str] = []
        """Every call so far: what, and for which file below the folder."""
        self.number = number
        self._root = str(root.resolve())
        self._at = NEVER
        self._forever = False

    def fail(self, at: int, *, forever: bool) -> None:
        """Fail at this call, counted from 1; `forever`: and at every one after it."""
        self._at, self._forever = at, forever

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Take the calls' places until `patch` is undone."""
        patch.setattr(os, "mkdir", self._simple("mkdir", os.mkdir, unless=os.path.isdir))
        for name in ("fsync", "replace", "rename"):
            patch.setattr(os, name, self._simple(name, getattr(os, name)))
        patch.setattr(os, "write", self._write(os.write))
        patch.setattr(os, "open", self._descriptor(os.open))
        for module in (builtins, io):  # pathlib asks the second one
            patch.setattr(module, "open", self._open(builtins.open))
        patch.setattr(checkpoint, "save_file", self._save(save_file))

    def due(self, call: str, path: Any) -> bool:
        """Count a call; whether it is to fail."""
        where = str(Path(f"/proc/self/fd/{path}").readlink() if isinstance(path, int) else Path(path).absolute())
        if where != self._root and not where.startswith(self._root + "/"):
            return False
        self.calls.append(f"{call} {where.removeprefix(self._root).lstrip('/') or '.'}")
        count = len(self.calls)
        return count == self._at or (self._forever and count > self._at)

    def error(self, path: Any = None) -> OSError:
        """What the operating system says."""
        named = [os.fspath(path)] if path is not None and not isinstance(path, int) else []
        return OSError(self.number, os.strerror(self.number), *named)

    def _simple(
        self, name: str, call: Callable[..., Any], unless: Callable[[Any], bool] = lambda _: False
    ) -> Callable[..., Any]:
        def checked(path: Any, *arguments: Any, **named: Any) -> Any:
            if not unless(path) and self.due(name, path):
                raise self.error(path)
            return call(path, *arguments, **named)

        return checked

    def _write(self, write: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
        def checked(descriptor: int, content: Any) -> int:
            if self.due("write", descriptor):
                write(descriptor, content[: len(content) // 2])
                raise self.error()
            return write(descriptor, content)

        return checked

    def _descriptor(self, opened: Callable[..., int]) -> Callable[..., int]:
        def checked(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
            if flags & os.O_CREAT and self.due("open", path):
                raise self.error(path)
            return opened(path, flags, *arguments, **named)

        return checked

    def _open(self, opened: Callable[..., Any]) -> Callable[..., Any]:
        def checked(path: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            if not set(mode) & set("wax+") or isinstance(path, int):
                return opened(path, mode, *arguments, **named)
            if self.due("open", path):
                raise self.error(path)
            file = opened(path, mode, *arguments, **named)
            write = file.write

            def half_at_most(content: Any) -> int:
                if self.due("write", path):
                    write(content[: len(content) // 2])
                    file.flush()
                    raise self.error()
                written: int = write(content)
                return written

            return Written(file, half_at_most)

        return checked

    def _save(self, save: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def checked(tensors: Any, path: Path) -> None:
            save(tensors, path)
            if self.due("save", path):
                os.truncate(path, path.stat().st_size // 2)
                raise SafetensorError(f"Error while serializing: I/O error: (os error {self.number})")

        return checked


@dataclass(frozen=True)
class Failure:
    """What a failed call left."""

    folder: Path
    call: str
    forever: bool
    error: BaseException | None
    """What the act raised; None where it went on."""

    def __str__(self) -> str:
        return f"{self.call}{' and all after it' if self.forever else ''}: {self.error!r}"

    @property
    def visible(self) -> list[str]:
        """The names in the folder that readers look at."""
        return sorted(path.name for path in self.folder.iterdir() if not path.name.startswith("."))


def every_failure(
    place: Path, prepare: Callable[[Path], object], act: Callable[[Path], object], number: int = errno.ENOSPC
) -> Iterator[Failure]:
    """`act` on a freshly prepared folder, once for every call that can fail, alone and with all that follow it."""

    def tried(at: int, *, forever: bool) -> tuple[Failure, list[str]]:
        folder = place / f"{at}{'-on' * forever}"
        folder.mkdir()
        prepare(folder)
        disk, raised = FailingDisk(folder, number), None
        disk.fail(at, forever=forever)
        with pytest.MonkeyPatch.context() as patch:
            disk.install(patch)
            try:
                act(folder)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the test looks at what it is
                raised = error
        return Failure(folder, disk.calls[min(at, len(disk.calls)) - 1], forever, raised), disk.calls

    whole, calls = tried(NEVER, forever=False)
    assert whole.error is None and calls, whole
    for forever in (False, True):
        for at in range(1, len(calls) + 1):
            failure, _ = tried(at, forever=forever)
            yield failure
            shutil.rmtree(failure.folder)
