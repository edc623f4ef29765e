"""A request to stop, made by a signal or another thread and checked between forward passes."""

import threading


class Interrupted(Exception):
    """The training was asked to stop; its state is that of the last whole step."""


class StopFlag:
    """Set once, read often."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def request(self) -> None:
        """Ask for a stop. Safe in a signal handler."""
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether a stop was asked for."""
        return self._event.is_set()

    def check(self) -> None:
        """Do nothing, or raise.

        Raises:
            Interrupted: a stop was asked for.
        """
        if self.requested:
            raise Interrupted
