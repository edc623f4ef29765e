"""One trial of a sweep, as Ray Tune knows it: each of its iterations ends with a validation."""

import math
from typing import Any

from ray import tune

from medqa_core.cluster.nodes.trial_runner import TrialRunner

LOSS = "validation_loss"


class TuneTrial(tune.Trainable):  # type: ignore[misc]  # Ray is no package of the environment that is checked
    """A process of its own on some node. Ray Tune waits for its `cleanup`; it would not wait for a mere function."""

    def setup(self, config: dict[str, Any]) -> None:
        """Before the first iteration."""
        self._runner = TrialRunner(config)
        self._last_loss = math.inf

    def step(self) -> dict[str, Any]:
        """Train to the next validation, or to the end."""
        loss = self._runner.next()
        self._last_loss = self._last_loss if loss is None else loss
        return {LOSS: self._last_loss, "done": loss is None}

    def cleanup(self) -> None:
        """The trial has ended, or is ended early."""
        self._runner.end()
