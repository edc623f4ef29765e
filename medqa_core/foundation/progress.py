"""What long work tells whoever waits for it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from medqa_core.foundation.disk import folder_size

Progress = Callable[[str], None]
"""Told in a few words what is taking long now."""
StageProgress = Callable[[str, int, int], None]
"""Told a stage's name, how many of its steps are done, and how many there are: 0 where that is not known."""
DOWNLOAD = "download"
"""The stage whose steps are bytes."""
LOOK_SECONDS = 0.5


def silent(*_: object) -> None:
    """Either of the two where nobody waits."""


@contextmanager
def downloading(folder: Path, told: StageProgress, total: int = 0) -> Iterator[None]:
    """While the block runs `told` hears how much it has downloaded, by what the files below `folder` have grown.

    For downloads of other programs and libraries, which tell nobody but a terminal how far they are.

    Args:
        folder: where the files are written, temporary ones included; it need not be there yet.
        told: called every half second in which something was written.
        total: bytes of the whole; 0 where that is not known.
    """
    if told is silent:
        yield
        return
    before, ended = folder_size(folder), threading.Event()

    def watch() -> None:
        most = -1
        while True:
            last = ended.wait(LOOK_SECONDS)
            grown = folder_size(folder) - before
            grown = min(grown, total) if total else grown
            if grown > most:
                most = grown
                told(DOWNLOAD, grown, total)
            if last:
                return

    watcher = threading.Thread(target=watch, name="download-progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
