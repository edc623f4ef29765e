"""The worker as a process: its log, its threads, and memory that it keeps instead of asking for it again and again."""

import contextlib
import ctypes
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

log = logging.getLogger("medqa.train")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""glibc's names for them in malloc.h."""


@contextlib.contextmanager
def as_worker(threads: int | None = None) -> Iterator[None]:
    """The process set up for training: freed memory kept, and the number of threads that the run began with.

    Sums of floats depend on how many threads share them, so a resumed run takes the first attempt's number.
    """
    keep_freed_memory()
    before = torch.get_num_threads()
    if threads is not None and threads != before:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> None:
    """Let glibc keep what is freed. It gives large blocks back at once, and each new tensor then costs page faults:
    on a CPU a fifth of a training step.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_THRESHOLD, 2**30)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


class _Log(logging.FileHandler):
    """A log that loses its lines where the disk is full, and neither ends the training nor hides what ended it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Nothing: a traceback for each line would be all that a person sees."""

    def close(self) -> None:
        """Close the file, whose last lines may have no room."""
        with contextlib.suppress(OSError):
            super().close()


@contextlib.contextmanager
def logged(path: Path) -> Iterator[None]:
    """Everything that is logged inside the block, warnings included, also goes to `path`."""
    handler = _Log(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    level = log.level
    logging.captureWarnings(True)
    root.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        logging.captureWarnings(False)
        log.setLevel(level)
        handler.close()
