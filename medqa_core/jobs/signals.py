"""Signals to the process of a run or a task, and to no later one of the same number."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from medqa_core.foundation.errors import InputError
from medqa_core.runs.schema.status import ProcessIdentity

WAIT = 10.0
"""Seconds that a killed process gets to disappear."""


def send(process: ProcessIdentity, number: signal.Signals) -> None:
    """Signal this very process; nothing where it has ended.

    Raises:
        InputError: it is another user's.
    """
    # psutil keeps the time of start, and refuses to signal another process of that number.
    with _reaching(process):
        found = psutil.Process(process.pid)
        if process.is_alive():
            found.send_signal(number)


def kill(process: ProcessIdentity) -> None:
    """Kill this very process with all that it has started, and wait until it is gone; nothing where it has ended.

    Raises:
        InputError: it is another user's.
    """
    with _reaching(process):
        found = psutil.Process(process.pid)
        if not process.is_alive():
            return
        family = [*found.children(recursive=True), found]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
    end = time.monotonic() + WAIT
    while process.is_alive() and time.monotonic() < end:
        time.sleep(0.05)


@contextmanager
def _reaching(process: ProcessIdentity) -> Iterator[None]:
    """The block signals this process; where it has ended meanwhile, nothing is left to do."""
    try:
        yield
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise InputError(
            f"Process {process.pid} belongs to another user of this machine: only they can stop it."
        ) from error
