"""The Trainer's events as rows of `metrics.jsonl` and fields of `status.json`, and the best weights so far."""

import math
import time
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from medqa_core.foundation.errors import MedQAError
from medqa_core.runs.series import SeriesWriter
from medqa_core.runs.status import Best
from medqa_core.runs.worker import StatusWriter


class LossNotFinite(MedQAError):
    """The training loss became NaN or infinite; the run stops with what it has."""


class Recorder(TrainerCallback):  # type: ignore[misc]
    """Writes what the Trainer logs; calls `keep` whenever the validation loss is the lowest so far."""

    def __init__(
        self, writer: SeriesWriter, status: StatusWriter, examples: int, keep: Callable[[], None], start: float
    ) -> None:
        self._writer = writer
        self._status = status
        self._examples = examples
        self._keep = keep
        self._start = start
        self.best: Best | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Say how many steps there will be."""
        self._status.update(total_steps=state.max_steps, stage="training")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Leave the step for the next heartbeat to write."""
        self._status.note(step=state.global_step, epoch=state.epoch or 0.0)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """One row a log. A loss that is not finite is recorded as such, then ends the run.

        Raises:
            LossNotFinite: after the row is written.
        """
        logs = logs or {}
        common: dict[str, float | int] = {
            "step": state.global_step,
            "epoch": round(state.epoch or 0.0, 4),
            "attempt": 1,
            "time": round(time.monotonic() - self._start, 2),
            "tokens": state.num_input_tokens_seen,
            "examples": round((state.epoch or 0.0) * self._examples),
        }
        if "eval_loss" in logs:
            loss = logs["eval_loss"]
            self._writer.append("validation", **common, loss=loss)
            if math.isfinite(loss) and (self.best is None or loss < self.best.validation_loss):
                self._keep()
                self.best = Best(step=state.global_step, validation_loss=loss)
                self._status.update(best=self.best)
        elif "loss" in logs:
            loss = logs["loss"]
            rest = {name: logs[name] for name in ("learning_rate", "grad_norm") if name in logs}
            self._writer.append("train", **common, loss=loss, **rest)
            if not math.isfinite(loss):
                raise LossNotFinite(
                    f"The training loss was {loss} at step {state.global_step}. "
                    "Most often the learning rate is too high: try a third of it."
                )
