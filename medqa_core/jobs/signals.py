"""Signals to the process of a run or a task, and to no later one of the same number."""

import signal
from contextlib import suppress

import psutil

from medqa_core.runs.schema.status import ProcessIdentity


def send(process: ProcessIdentity, number: signal.Signals) -> None:
    """Signal this very process; nothing where it has ended."""
    # psutil keeps the time of start, and refuses to signal another process of that number.
    with suppress(psutil.NoSuchProcess):
        found = psutil.Process(process.pid)
        if process.is_alive():
            found.send_signal(number)
