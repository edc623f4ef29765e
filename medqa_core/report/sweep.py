"""A sweep as one family of runs: its trials, which of them has the lowest loss, and what all of them cost."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.format import duration, number, percent, plural
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore


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
    """Why it stopped early, in the words of whatever stopped it."""


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
    def lead(self) -> float | None:
        """How far the lowest validation loss is below the next, as a share of that; None with fewer than two."""
        losses = sorted(trial.loss for trial in self.trials if trial.loss is not None)
        return (losses[1] - losses[0]) / losses[1] if len(losses) > 1 and losses[1] else None

    @property
    def validated(self) -> int:
        """Trials with a validation loss."""
        return sum(trial.loss is not None for trial in self.trials)

    @property
    def ended_early(self) -> int:
        """Trials that the sweep stopped early."""
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


def members(sweep: str, store: RunStore) -> list[Run]:
    """The runs of a sweep. Only those whose ids begin as its trials' do are opened: a store may hold thousands."""
    found = []
    for entry in store.list():
        if entry.id.startswith(f"{sweep}-t") and entry.state != "unreadable":
            try:
                run = store.open(entry.id)
            except MedQAError:  # it went away since it was listed
                continue
            if run.record.sweep is not None and run.record.sweep.id == sweep:
                found.append(run)
    return found


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


def result_sentence(found: Family) -> str:
    """Which trial has the lowest validation loss, and how much that says."""
    best = found.best
    if best is None:
        return "No trial has been validated yet."
    text = f"{best.run_id} has the lowest validation loss, {number(best.loss)}"
    if found.lead is not None:
        text += f", {percent(found.lead)} below the next"
    return (
        f"{text}. It was chosen among {plural(found.validated, 'trial')} by this very loss, so only its test questions "
        "can confirm it."
    )


def cost_sentence(found: Family) -> str:
    """What all trials took together."""
    parts = [plural(len(found.trials), "trial"), f"{duration(found.seconds)} of training", f"{found.tokens:,} tokens"]
    if found.cpu_hours is not None:
        parts.append(f"{number(found.cpu_hours, 2)} CPU-hours")
    early = f" {plural(found.ended_early, 'trial')} stopped early." if found.ended_early else ""
    return f"Cost: {', '.join(parts)}.{early}"


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
