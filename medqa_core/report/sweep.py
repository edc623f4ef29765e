"""A sweep as one family of runs: what was tried, which trial came lowest, and what all of it cost."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from medqa_core.runs.run import Run


@dataclass(frozen=True)
class Trial:
    """One run of the sweep; a figure that it does not have is None."""

    run_id: str
    values: dict[str, float | int | str]
    state: str
    loss: float | None
    """Lowest validation loss so far."""
    step: int
    total_steps: int | None
    seconds: float
    tokens: int
    cpu_seconds: float | None
    why: str | None
    """Why it ended before its end, in the words of whoever ended it."""


@dataclass(frozen=True)
class Family:
    """The whole sweep, in the order of its trials."""

    id: str
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial | None:
        """The trial with the lowest validation loss; of equals the first."""
        measured = [trial for trial in self.trials if trial.loss is not None]
        return min(measured, key=lambda trial: trial.loss or 0.0, default=None)

    @property
    def seconds(self) -> float:
        """Of training, over all trials and attempts, validations included."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def tokens(self) -> int:
        """Trained on, over all trials."""
        return sum(trial.tokens for trial in self.trials)

    @property
    def cpu_hours(self) -> float | None:
        """Training time times threads; None where a trial does not say how many it had."""
        parts = [trial.cpu_seconds for trial in self.trials]
        known = [part for part in parts if part is not None]
        return sum(known) / 3600 if len(known) == len(parts) else None

    @property
    def ended_early(self) -> int:
        """Trials that the sweep ended before their end."""
        return sum(trial.why is not None and trial.state == "stopped" for trial in self.trials)

    def plain(self) -> dict[str, Any]:
        """For programs."""
        return {
            "sweep": self.id,
            "best": self.best.run_id if self.best else None,
            "train_seconds": round(self.seconds, 2),
            "tokens": self.tokens,
            "cpu_hours": self.cpu_hours,
            "trials": [asdict(trial) for trial in self.trials],
        }


def family(runs: Sequence[Run]) -> Family | None:
    """The family that these runs are trials of; None where none of them is a trial. Runs of other sweeps are left out.

    Which one is meant is said by the first that is a trial.
    """
    sweeps = [run.record.sweep for run in runs if run.record.sweep is not None]
    if not sweeps:
        return None
    name = sweeps[0].id
    ours = [(run.record.sweep.trial, run) for run in runs if run.record.sweep and run.record.sweep.id == name]
    return Family(name, tuple(_trials(run for _, run in sorted(ours, key=lambda one: (one[0], one[1].id)))))


def _trials(runs: Iterable[Run]) -> Iterable[Trial]:
    for run in runs:
        status, sweep = run.status(), run.record.sweep
        seconds = status.train_seconds or 0.0 if status else 0.0
        threads = run.record.environment.threads
        yield Trial(
            run_id=run.id,
            values=dict(sweep.parameters) if sweep else {},
            state=run.state(),
            loss=status.best.validation_loss if status and status.best else None,
            step=status.step if status else 0,
            total_steps=status.total_steps if status else None,
            seconds=seconds,
            tokens=status.tokens if status else 0,
            cpu_seconds=seconds * threads if threads is not None else 0.0 if not seconds else None,
            why=status.error if status else None,
        )
