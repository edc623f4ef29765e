"""A run's curve, to be drawn or told."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medqa_core.runs.artifacts.series import Series
from medqa_core.runs.metrics_log.log import MetricsLog
from medqa_core.runs.schema.record import TrainingKind

if TYPE_CHECKING:
    from medqa_core.runs.snapshot import RunSnapshot


@dataclass(frozen=True)
class RunCurve:
    """One run's curve with the checkpoint that was kept."""

    label: str
    metrics_log: MetricsLog
    best_step: int | None = None
    sets: tuple[Series, ...] = ()
    """The losses of several evaluation sets, each under its name."""
    training: TrainingKind | None = None
    """A training whose loss is not that of predicting answers."""

    @classmethod
    def of(cls, run: "RunSnapshot") -> "RunCurve":
        """The curve of a run as it was when the snapshot was taken."""
        best = run.status.best.step if run.status and run.status.best else None
        sets = tuple(one for one in run.series if one.is_set_loss)
        return cls(run.id, run.metrics_log, best, sets, run.record.imported.training if run.record.imported else None)
