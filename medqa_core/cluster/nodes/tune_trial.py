"""One trial of a sweep, as Ray Tune knows it: each of its iterations ends with a validation."""

import math
from typing import Any

from ray import tune

from medqa_core.cluster.nodes.trial_runner import TrialRunner, Validation

LOSS = "validation_loss"
NUMBER = "validation"
"""Which validation it is of. Ray's own count of iterations begins anew where a lost node's trial is resumed."""


class TuneTrial(tune.Trainable):  # type: ignore[misc]  # Ray is no package of the environment that is checked
    """A process of its own on some node. Ray Tune waits for its `cleanup`; it would not wait for a mere function."""

    def setup(self, config: dict[str, Any]) -> None:
        """Before the first iteration."""
        self._runner = TrialRunner(config)
        self._last = Validation(0, math.inf)

    def step(self) -> dict[str, Any]:
        """Train to the next validation, or to the end."""
        reached = self._runner.next()
        self._last = reached or self._last
        return {LOSS: self._last.loss, NUMBER: self._last.number, "done": reached is None}

    def cleanup(self) -> None:
        """The trial has ended, or is ended early."""
        self._runner.end()
