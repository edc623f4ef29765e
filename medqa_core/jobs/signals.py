"""Signals to the process of a run or a task, and to no later one of the same number."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from medqa_core.foundation.errors import InputError
from medqa_core.runs.schema.status import ProcessIdentity


def send(process: ProcessIdentity, number: signal.Signals) -> None:
    """Signal this very process; nothing where it has ended.

    Raises:
        InputError: it is another user's.
    """
    # psutil keeps the time of start, and refuses to signal another process of that number.
    with reaching(process):
        found = psutil.Process(process.pid)
        if process.is_alive():
            found.send_signal(number)


@contextmanager
def reaching(process: ProcessIdentity) -> Iterator[None]:
    """The block signals this process; where it has ended meanwhile, nothing is left to do.

    Raises:
        InputError: it is another user's.
    """
    try:
        yield
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise InputError(
            f"Process {process.pid} belongs to another user of this machine: only they can stop it."
        ) from error
