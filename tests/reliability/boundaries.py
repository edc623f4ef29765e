"""Death at a named boundary of a write: before a call of the operating system, after it, or with half of it done.

In the process that is to die, `install` puts a counter in front of every call by which the worker changes its store.
A boundary's name says when, which call, for what file and on whose behalf:
`before replace status.json for worker.update`.
"""

import builtins
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from tests.support.written import Written

PRIMITIVES = ("foundation/files.py", "foundation/lines.py", "runs/metrics_log/log.py")
"""Modules that write for others: a boundary is named after whoever asked them."""


class Boundaries:
    """Counts the boundaries that a process passes, in the order of time."""

    def __init__(self, store: Path, record: Path | None, die_at: tuple[str, int] | None) -> None:
        """`record`: where to write each one's name. `die_at`: a name and which of its occurrences is the last."""
        self._store = str(store.resolve())
        self._record = open(record, "a", encoding="utf-8") if record else None  # noqa: SIM115
        self._die_at = die_at
        self._seen: Counter[str] = Counter()

    def install(self) -> None:
        """Put this in front of the calls."""
        import safetensors.torch

        from medqa_core.foundation import files
        from medqa_core.training import checkpoint

        for name in ("fsync", "replace", "rename", "unlink", "rmdir"):
            setattr(os, name, self._around(name, getattr(os, name)))
        os.write = self._write(os.write)  # type: ignore[assignment]
        files.open = self._open  # type: ignore[attr-defined]
        checkpoint.save_file = self._save(safetensors.torch.save_file)  # type: ignore[assignment, attr-defined]

    def passes(self, when: str, call: str, path: str | None, half: Callable[[], object] | None = None) -> None:
        """One boundary. `half` does half of the call, for the one at which the process dies in the middle of it."""
        if path is None:
            return
        name = f"{when} {call} {self._kind(path)} for {_caller(sys._getframe(1))}"
        self._seen[name] += 1
        if self._record:
            self._record.write(name + "\n")
            self._record.flush()
        if self._die_at == (name, self._seen[name]):
            if half is not None:
                half()
            os.kill(os.getpid(), signal.SIGKILL)

    def _around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            path = self._inside(arguments[-1] if name in ("replace", "rename") else arguments[0], named.get("dir_fd"))
            self.passes("before", name, path)
            result = call(*arguments, **named)
            self.passes("after", name, path)
            return result

        return counted

    def _write(self, write: Callable[[int, bytes], int]) -> Callable[[int, bytes], int]:
        def counted(descriptor: int, content: bytes) -> int:
            path = self._inside(descriptor, None)
            self.passes("before", "write", path)
            self.passes("half of", "write", path, lambda: write(descriptor, content[: len(content) // 2]))
            written = write(descriptor, content)
            self.passes("after", "write", path)
            return written

        return counted

    def _open(self, path: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        file = builtins.open(path, mode, *arguments, **named)  # noqa: SIM115
        inside = self._inside(path, None)
        if "w" not in mode or inside is None:
            return file
        write = file.write

        def counted(content: bytes) -> int:
            def half() -> None:
                write(content[: len(content) // 2])
                file.flush()

            self.passes("before", "write", inside)
            self.passes("half of", "write", inside, half)
            written: int = write(content)
            self.passes("after", "write", inside)
            return written

        return Written(file, counted)

    def _save(self, save: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def counted(tensors: Any, path: Path) -> None:
            inside = self._inside(path, None)
            self.passes("before", "save", inside)
            save(tensors, path)
            self.passes("half of", "save", inside, lambda: os.truncate(path, path.stat().st_size // 2))
            self.passes("after", "save", inside)

        return counted

    def _inside(self, path: Any, folder: int | None) -> str | None:
        """The path within the run's folder; None for what lies elsewhere."""
        if isinstance(path, int):
            path = Path(f"/proc/self/fd/{path}").readlink()
        elif folder is not None:
            path = Path(f"/proc/self/fd/{folder}").readlink() / os.fspath(path)
        text = str(Path(path).absolute())
        if not text.startswith(self._store + "/"):
            return None
        return text.removeprefix(self._store + "/").partition("/")[2] or "run"

    def _kind(self, path: str) -> str:
        """What sort of file a path within the run's folder is: without the step and without a temporary's number."""
        plain = re.sub(r"\.([^/]+?)\.[0-9a-f]{32}\.(tmp|old)", r"\1[\2]", path)
        return re.sub(r"step-\d+", "step", plain)


def _caller(frame: FrameType | None) -> str:
    """The function of the product that asked for the write: `module.function`."""
    while frame is not None:
        file = frame.f_code.co_filename
        if "/medqa_core/" in file and not file.endswith(PRIMITIVES):
            return f"{Path(file).stem}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "nobody"
