"""What long work tells whoever waits for it."""

from collections.abc import Callable

Progress = Callable[[str], None]
"""Told in a few words what is taking long now."""
StageProgress = Callable[[str, int, int], None]
"""Told a stage's name, how many of its steps are done, and how many there are."""


def silent(*_: object) -> None:
    """Either of the two where nobody waits."""
