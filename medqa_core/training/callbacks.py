"""Callbacks: who is told of steps and validations during a training."""

from collections.abc import Callable
from typing import NamedTuple

Callback = Callable[[int, int, float], None]
"""Called with the step, the run's number of steps, and a loss in nats per token."""


def noop(step: int, total: int, loss: float) -> None:
    """The default callback: nobody listens."""


class Callbacks(NamedTuple):
    """Called in the main process only, after what they tell of is on disk."""

    on_step: Callback = noop
    """After each optimizer step, with the step's training loss."""
    on_validation: Callback = noop
    """After each validation, with the validation loss."""
