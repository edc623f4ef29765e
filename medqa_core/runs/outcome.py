"""What came of a training, before anything is evaluated: it changed the weights, or not, or fell apart."""

from dataclasses import dataclass

import numpy as np

from medqa_core.runs.artifacts.training_record import TrainingRecord
from medqa_core.runs.metrics_log.log import Curve, MetricsLog
from medqa_core.runs.schema.status import Status

DIVERGED = 1.5
"""A loss that ends at more than this many times what it began with has no more to do with learning."""


@dataclass(frozen=True)
class TrainingOutcome:
    """What the files of a run say about its training."""

    unchanged: bool
    """Whether the weights that were kept are the base's: no validation was better than the one before the first step,
    or the adapter adds nothing."""
    best_step: int | None
    """The step whose weights were kept; None where it is not known."""
    diverged: tuple[float, float] | None
    """The loss at the beginning and at the end, in nats per token, where the training diverged."""


def outcome_of(log: MetricsLog, status: Status | None, record: TrainingRecord | None) -> TrainingOutcome:
    """The outcome of a training that has ended; of one that goes on, what there is so far."""
    best = record.best if record is not None else status.best if status is not None else None
    unchanged = (best is not None and best.step == 0) or (record is not None and record.changed is False)
    return TrainingOutcome(unchanged, None if best is None else best.step, _diverged(log))


def _diverged(log: MetricsLog) -> tuple[float, float] | None:
    """Both losses rose and the validation loss, or the training loss where there is no other, by half and more.

    A validation loss that rises while the training loss falls is overfitting, and no divergence.
    """
    trained, validated = _finite(log.train), _finite(log.validation)
    if len(trained) < 2 or _end(trained) <= trained[0]:
        return None
    curve = validated if len(validated) > 1 else trained
    first, last = float(curve[0]), float(curve[-1]) if len(validated) > 1 else _end(trained)
    return (first, last) if last > DIVERGED * first else None


def _finite(curve: Curve) -> np.ndarray:
    losses = curve["loss"]
    finite: np.ndarray = losses[np.isfinite(losses)]
    return finite


def _end(losses: np.ndarray) -> float:
    """The mean of the last tenth: single batches differ."""
    return float(losses[-max(1, len(losses) // 10) :].mean())
