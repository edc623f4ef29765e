"""A training's steps as rows of `metrics.jsonl` and fields of `status.json`, the best weights, and the checkpoints."""

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
from medqa_core.training.checkpoint import Counters
from medqa_core.training.trainer_state import Fit, Step

RATE_SECONDS = 60
"""The speed that is shown is that of the steps of this long, at least of the last one."""


class LossNotFinite(MedQAError):
    """The training loss became NaN or infinite; the run stops with what it has."""


class Recorder:
    """Writes one run. Keeps the weights of the lowest validation loss, and a checkpoint every so many minutes."""

    def __init__(self, run: Run, fit: Fit, status: StatusWriter, counters: Counters, keep: Callable[[], None]) -> None:
        """`keep` saves the weights as the run's model; `counters` say where the training stands."""
        self.counters = counters
        self._run = run
        self._fit = fit
        self._status = status
        self._keep = keep
        self._writer = MetricsLogWriter(run.folder / "metrics.jsonl")
        self._recent: deque[tuple[int, float]] = deque()
        self._validation_seconds: list[float] = []
        self._start = time.monotonic() - counters.seconds
        self._saved = time.monotonic()
        status.update(total_steps=fit.plan.total_steps, step=counters.step, tokens=counters.tokens, best=counters.best)

    def close(self) -> None:
        """Close the files."""
        self._writer.close()

    @property
    def seconds(self) -> float:
        """In the training loop, over all attempts."""
        return time.monotonic() - self._start

    def step(self, one: Step) -> None:
        """One optimizer step is done.

        Raises:
            LossNotFinite: after its row is written.
        """
        config, plan = self._fit.config, self._fit.plan
        self._count(step=one.number, tokens=self.counters.tokens + one.tokens)
        bad = not (math.isfinite(one.loss) and math.isfinite(one.grad_norm))
        if one.number % config.logging_steps == 0 or one.number in (1, plan.total_steps) or bad:
            rest = {"learning_rate": one.learning_rate, "grad_norm": one.grad_norm}
            self._writer.append("train", **self._place(), loss=one.loss, **rest)
        self._recent.append((one.tokens, one.seconds))
        while len(self._recent) > 1 and sum(s for _, s in self._recent) - self._recent[0][1] > RATE_SECONDS:
            self._recent.popleft()
        rate = sum(t for t, _ in self._recent) / max(1e-9, sum(s for _, s in self._recent))
        self._status.note(
            step=one.number,
            epoch=plan.epoch(one.number),
            tokens=self.counters.tokens,
            tokens_per_second=round(rate, 1),
            remaining_seconds=round(self._remaining(rate), 1),
            memory=memory(self._fit.device),
        )
        if bad:
            what = f"loss was {one.loss}" if not math.isfinite(one.loss) else f"gradient norm was {one.grad_norm}"
            raise LossNotFinite(
                f"The training {what} at step {one.number}, so that step was not taken. "
                "Most often the learning rate is too high: try a third of it."
            )

    def validation(self, loss: float, seconds: float) -> None:
        """The validation loss of the weights as they are."""
        self._validation_seconds.append(seconds)
        self._writer.append("validation", **self._place(), loss=loss)
        after = self.counters.after_validation(loss)
        if after.best != self.counters.best:
            self._keep()
        self.counters = after
        self._status.update(best=after.best, stage="training")

    def checkpoint_if_due(self) -> None:
        """Write a checkpoint if the last one is old enough."""
        if time.monotonic() - self._saved >= self._fit.config.checkpoint_minutes * 60:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Write a checkpoint of the last whole step."""
        self._count()
        checkpoint.write(self._run.folder, self.counters, *self._fit.tensors())
        self._saved = time.monotonic()

    def _count(self, **changes: object) -> None:
        self.counters = Counters.model_validate({**dict(self.counters), "seconds": self.seconds, **changes})

    def _place(self) -> dict[str, float | int]:
        plan, step = self._fit.plan, self.counters.step
        return {
            "step": step,
            "epoch": round(plan.epoch(step), 4),
            "attempt": self._status.status.attempt,
            "time": round(self.seconds, 2),
            "tokens": self.counters.tokens,
            "examples": plan.seen(step),
        }

    def _remaining(self, rate: float) -> float:
        plan, step = self._fit.plan, self.counters.step
        validations = math.ceil((plan.total_steps - step) / self._fit.config.eval_steps)
        each = sum(self._validation_seconds) / max(1, len(self._validation_seconds))
        return max(0, plan.total_tokens - self.counters.tokens) / max(rate, 1e-9) + validations * each


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
