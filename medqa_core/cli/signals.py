"""What Ctrl-C and SIGTERM do while a verb works."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from medqa_core.training.stop import Interrupted, StopFlag

STOPPING = b"\nStopping after this step; a checkpoint is saved first. Ctrl-C again ends it at once.\n"


@contextmanager
def requesting(stop: StopFlag) -> Iterator[None]:
    """Ctrl-C and SIGTERM ask for a stop; a second Ctrl-C does not ask."""

    def handle(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and stop.requested:
            raise KeyboardInterrupt
        stop.request()
        if sys.stderr.isatty():
            os.write(2, STOPPING)  # unbuffered: a handler may come in the middle of a print

    with _handling(handle):
        try:
            yield
        except Interrupted as error:  # before there was anything to keep: an interruption like any other
            raise typer.Abort from error


@contextmanager
def ending() -> Iterator[None]:
    """Ctrl-C and SIGTERM end at once what saves nothing."""
    with _handling(signal.default_int_handler):
        yield


@contextmanager
def _handling(handle: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
