"""Writes a training down: rows of `metrics.jsonl`, fields of `status.json`, the best weights and the checkpoints."""

import math
import time
from collections import deque
from collections.abc import Callable

import psutil
import torch

from medqa_core.foundation.errors import MedQAError
from medqa_core.runs.metrics_log.log import MetricsLogWriter
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import Memory
from medqa_core.runs.status_writer import StatusWriter
from medqa_core.training import checkpoint
from medqa_core.training.tracking import Tracking
from medqa_core.training.trainer_state import StepResult, TrainerState

RATE_SECONDS = 60
"""The speed that is shown is that of the steps of this long, at least of the last one."""


class LossNotFinite(MedQAError):
    """The training loss became NaN or infinite; the run stops with what it has."""


class Recorder:
    """Writes one run, and changes nothing of the training's state. Whoever trains calls it after counting."""

    def __init__(
        self,
        run: Run,
        state: TrainerState,
        status: StatusWriter,
        keep_best: Callable[[], None],
        tracking: Tracking | None = None,
    ) -> None:
        """`keep_best` saves the weights as they are as the run's model; `tracking` is told each row too."""
        self._run = run
        self._state = state
        self._status = status
        self._keep_best = keep_best
        self._writer = MetricsLogWriter(run.folder / "metrics.jsonl")
        self._tracking = tracking or Tracking(None)
        self._recent: deque[tuple[int, float]] = deque()
        self._validation_seconds: list[float] = []
        self._saved = time.monotonic()
        counters = state.counters
        status.update(
            total_steps=state.schedule.total_steps, step=counters.step, tokens=counters.tokens, best=counters.best
        )

    def close(self) -> None:
        """Close the files."""
        self._writer.close()
        self._tracking.close()

    def step(self, result: StepResult) -> None:
        """One optimizer step is done.

        Raises:
            LossNotFinite: after its row is written.
        """
        config, schedule = self._state.config, self._state.schedule
        logged = result.number % config.logging_steps == 0 or result.number in (1, schedule.total_steps)
        if logged or not result.finite:
            rest = {"learning_rate": result.learning_rate, "grad_norm": result.grad_norm}
            self._writer.append("train", **self._progress(), loss=result.loss, **rest)
            figures = {"loss": result.loss, **rest, "epoch": schedule.epoch(result.number)}
            self._tracking.log(result.number, {f"train/{name}": value for name, value in figures.items()})
        speed = self._tokens_per_second(result)
        self._status.note(
            step=result.number,
            epoch=schedule.epoch(result.number),
            tokens=self._state.counters.tokens,
            tokens_per_second=round(speed, 1),
            remaining_seconds=round(self._remaining_seconds(speed), 1),
            memory=memory(self._state.device),
        )
        if not result.finite:
            raise LossNotFinite(_not_finite(result))

    def validation(self, loss: float, seconds: float, *, lowest: bool) -> None:
        """The validation loss of the weights as they are, which are kept if it is the lowest."""
        self._validation_seconds.append(seconds)
        self._writer.append("validation", **self._progress(), loss=loss)
        self._tracking.log(self._state.counters.step, {"eval/loss": loss})  # as Trainer calls it
        if lowest:
            self._keep_best()
        self._status.update(best=self._state.counters.best, stage="training")

    def checkpoint_if_due(self) -> None:
        """Write a checkpoint if the last one is old enough."""
        due = time.monotonic() - self._saved >= self._state.config.checkpoint_minutes * 60
        if self._state.agreed(due) if self._state.sharded else due:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Write a checkpoint of the last whole step."""
        counters = self._state.counters.model_copy(update={"seconds": self._state.seconds})
        checkpoint.write(self._run.folder, counters, *self._state.tensors())
        self._saved = time.monotonic()

    def _progress(self) -> dict[str, float | int]:
        """The fields of a row that say where the training stands."""
        schedule, counters = self._state.schedule, self._state.counters
        return {
            "step": counters.step,
            "epoch": round(schedule.epoch(counters.step), 4),
            "attempt": self._status.status.attempt,
            "time": round(self._state.seconds, 2),
            "tokens": counters.tokens,
            "examples": schedule.seen(counters.step),
        }

    def _tokens_per_second(self, result: StepResult) -> float:
        self._recent.append((result.tokens, result.seconds))
        while len(self._recent) > 1 and sum(s for _, s in self._recent) - self._recent[0][1] > RATE_SECONDS:
            self._recent.popleft()
        return sum(t for t, _ in self._recent) / max(1e-9, sum(s for _, s in self._recent))

    def _remaining_seconds(self, speed: float) -> float:
        schedule, counters = self._state.schedule, self._state.counters
        validations = schedule.validations_from(counters.step)
        each = sum(self._validation_seconds) / max(1, len(self._validation_seconds))
        return max(0, schedule.total_tokens - counters.tokens) / max(speed, 1e-9) + validations * each


class Companion:
    """Stands for the recorder in the other processes of a sharded training: hands over shards, and writes nothing."""

    def __init__(self, state: TrainerState) -> None:
        self._state = state

    def step(self, result: StepResult) -> None:
        """Nothing: the main process knows the step."""

    def validation(self, loss: float, seconds: float, *, lowest: bool) -> None:
        """Help to gather the weights that the main process keeps."""
        if lowest:
            self._state.weights_to_save()

    def checkpoint_if_due(self) -> None:
        """Help with a checkpoint if the main process finds it due."""
        if self._state.agreed(False):
            self.checkpoint()

    def checkpoint(self) -> None:
        """Help with a checkpoint."""
        self._state.tensors()


def _not_finite(result: StepResult) -> str:
    loss_is_finite = math.isfinite(result.loss)
    what = f"gradient norm was {result.grad_norm}" if loss_is_finite else f"loss was {result.loss}"
    return (
        f"The training {what} at step {result.number}, so that step was not taken. "
        "Most often the learning rate is too high: try a third of it."
    )


def memory(device: str) -> Memory:
    """The memory of this process on `device`, in bytes."""
    if device.startswith("cuda"):
        free, total = torch.cuda.mem_get_info(device)
        used, peak = torch.cuda.memory_reserved(device), torch.cuda.max_memory_reserved(device)
        return Memory(used=used, peak=peak, total=total, available=free)
    machine, used = psutil.virtual_memory(), psutil.Process().memory_info().rss
    return Memory(used=used, peak=max(used, _peak()), total=machine.total, available=machine.available)


def _peak() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if psutil.MACOS else peak * 1024
