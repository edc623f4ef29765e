"""The state of a training and its optimizer step, exact to the bit on a CPU, on one process or several.

What a step computes is a function of the weights, the optimizer's moments, the random state and the number of the
step. All four go into a checkpoint, so that a resumed run continues as if nothing had happened.
"""

import contextlib
import logging
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedType

from medqa_core.foundation.errors import InputError
from medqa_core.models.loader import LoadedModel
from medqa_core.models.prompt import Example
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.record import TrainingPrecision
from medqa_core.training.attention import reads_packed_rows
from medqa_core.training.batching import ForwardBatch, layout_for, pack_batches, tokens_per_forward
from medqa_core.training.bfloat16 import compute_in_bfloat16
from medqa_core.training.callbacks import Callbacks
from medqa_core.training.checkpoint import Checkpoint, Counters, Tensors
from medqa_core.training.freezing import set_train_mode
from medqa_core.training.hidden_states import HiddenStateCache
from medqa_core.training.inputs import TrainingInputs
from medqa_core.training.loss import answer_loss
from medqa_core.training.model import trainable
from medqa_core.training.random_state import generator_states, set_generator_states
from medqa_core.training.schedule import TrainingSchedule
from medqa_core.training.sharding import ASKED, gathered, shard, sharded_like, sharding_asked
from medqa_core.training.stop import Interrupted, StopFlag

log = logging.getLogger("medqa.train")


@dataclass(frozen=True)
class StepResult:
    """What one optimizer step came to."""

    number: int
    loss: float
    """Nats per answer token, over the whole step's examples."""
    learning_rate: float
    grad_norm: float
    """Before clipping."""
    tokens: int
    seconds: float

    @property
    def finite(self) -> bool:
        """Whether the step was taken: with a loss or gradient that is not finite the weights stay as they were."""
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)


def accelerator_for(device: str, precision: TrainingPrecision = "float32") -> Accelerator:
    """The processes of this training: one, unless `accelerate launch` made more.

    Its mixed precision is PyTorch's autocast, for accelerators; a CPU has its own (see `bfloat16`).

    Raises:
        InputError: the launcher was told to use DeepSpeed.
    """
    mixed = "bf16" if precision == "bfloat16" and device != "cpu" else "no"
    with _sharding_left_to_us():
        accelerator = Accelerator(cpu=device == "cpu", mixed_precision=mixed)
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        raise InputError("DeepSpeed is not supported: shard with --use_fsdp, or launch data-parallel (DDP).")
    return accelerator


@contextlib.contextmanager
def _sharding_left_to_us() -> Iterator[None]:
    """accelerate makes the processes; the model is sharded in `sharding`, the same way on every device."""
    asked = os.environ.pop(ASKED, None)
    try:
        yield
    finally:
        if asked is not None:
            os.environ[ASKED] = asked


class TrainerState:
    """Model, optimizer, counters and callbacks of one training: their only owner. All else reads them here."""

    def __init__(
        self,
        config: TrainConfig,
        base: LoadedModel,
        examples: Sequence[Example],
        accelerator: Accelerator,
        stop: StopFlag | None = None,
        callbacks: Callbacks | None = None,
        precision: TrainingPrecision = "float32",
    ) -> None:
        """Make the model trainable and its optimizer; `config.seed` decides every random number from here on."""
        torch.manual_seed(config.seed)
        self.config = config
        self.examples = examples
        self.accelerator = accelerator
        self.stop = stop or StopFlag()
        self.callbacks = callbacks or Callbacks()
        self.counters = Counters()
        self.device = base.device
        self.precision = precision
        self.max_tokens_per_forward = tokens_per_forward(config, base.device)
        self.schedule = TrainingSchedule.of(config, [len(example.input_ids) for example in examples])
        self.model = trainable(base, config)
        self.layout = layout_for(base.device, packs=base.device != "cpu" or reads_packed_rows(self.model))
        self.sharded = sharding_asked()
        on_cpu = precision == "bfloat16" and base.device == "cpu" and not self.sharded
        self.copies = compute_in_bfloat16(self.model) if on_cpu else None
        self.hidden_states: HiddenStateCache | None = None
        if self.sharded:
            shard(self.model, torch.bfloat16 if precision == "bfloat16" else None)
            self._wrapped, self.optimizer = self.model, _optimizer(self.model, config)
        else:
            self._wrapped, self.optimizer = accelerator.prepare(self.model, _optimizer(self.model, config))
        self._clock_start: float | None = None
        set_train_mode(self.model, config.last_layers)

    @classmethod
    def of(
        cls, inputs: TrainingInputs, stop: StopFlag | None = None, callbacks: Callbacks | None = None
    ) -> "TrainerState":
        """The state before the first step on what was loaded, in the precision that was resolved for it."""
        base, precision = inputs.base, inputs.precision.precision
        accelerator = accelerator_for(base.device, precision)
        return cls(inputs.config, base, inputs.train.examples, accelerator, stop, callbacks, precision)

    @property
    def trainable_parameters(self) -> int:
        """Weights that are trained."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    @property
    def distributed(self) -> bool:
        """Whether several processes train together."""
        return bool(self.accelerator.num_processes > 1)

    def agreed(self, asked: bool) -> bool:
        """Whether any process says so; each of them has to call it. Alone, what this one says."""
        if not self.distributed:
            return asked
        flag = torch.tensor(float(asked), device=self.device)
        return bool(float(self.accelerator.reduce(flag, reduction="sum")))

    # Counters

    def start_clock(self) -> None:
        """Let `seconds` run on from what earlier attempts took."""
        self._clock_start = time.monotonic() - self.counters.seconds

    @property
    def seconds(self) -> float:
        """In the training loop, validation included, over all attempts."""
        return self.counters.seconds if self._clock_start is None else time.monotonic() - self._clock_start

    @property
    def finished(self) -> bool:
        """Whether the last step is done."""
        return self.counters.step == self.schedule.total_steps

    @property
    def validation_due(self) -> bool:
        """Whether the validation loss of the weights as they are is due and not known yet."""
        step = self.counters.step
        due = step == 0 or self.finished or step % self.config.eval_steps == 0
        return due and self.counters.validated != step

    @property
    def out_of_patience(self) -> bool:
        """Whether the validation loss has not fallen for as many validations as the configuration allows."""
        return self.config.patience is not None and self.counters.bad_validations >= self.config.patience

    def count_step(self, result: StepResult) -> None:
        """Count a step that is done."""
        self.counters = self.counters.after_step(result.number, result.tokens, self.seconds)

    def count_validation(self, loss: float) -> bool:
        """Count a validation; whether its loss is the lowest so far."""
        best = self.counters.best
        self.counters = self.counters.after_validation(loss)
        return self.counters.best != best

    # Steps

    def next_step(self) -> StepResult:
        """Do the optimizer step that follows, and count it. Raises as `step`."""
        result = self.step(self.counters.step + 1)
        self.count_step(result)
        return result

    def step(self, number: int) -> StepResult:
        """Do the optimizer step `number`, counted from 1, without counting it.

        Raises:
            Interrupted: a stop was asked for; weights, moments and random state are those before this step.
        """
        start = time.monotonic()
        random = generator_states(self.device) if not self.distributed else {}
        indices = self.schedule.examples(number)
        answer_tokens = sum(len(self.examples[i].input_ids) - self.examples[i].prompt_tokens for i in indices)
        # DDP averages the processes' gradients: times their number, the sum is that of one process.
        factor = self.accelerator.num_processes / max(1, answer_tokens)
        nats = torch.zeros((), dtype=torch.float64)
        batches = self._batches(indices)
        try:
            for position, (batch, weight) in enumerate(batches, 1):
                if not self.distributed:
                    self.stop.check()
                with self._synchronised(last=position == len(batches)), self._hidden_states_of(batch):
                    loss, batch_nats = answer_loss(self._wrapped, batch, factor * weight, self.device)
                    self.accelerator.backward(loss)
                nats += batch_nats.detach().cpu().double() * weight
        except Interrupted:
            self.optimizer.zero_grad(set_to_none=True)
            set_generator_states(random, self.device)
            raise
        if self.distributed:
            nats = self.accelerator.reduce(nats.to(self.device), reduction="sum").cpu()
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        norm = self._clipped_norm(parameters)
        rate = self.schedule.learning_rate(number)
        if math.isfinite(norm) and math.isfinite(float(nats)):  # or every weight would become NaN
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.step()
            self._weights_changed()
        self.optimizer.zero_grad(set_to_none=True)
        mean_loss = float(nats) / answer_tokens if answer_tokens else math.nan
        tokens = sum(self.schedule.lengths[index] for index in indices)
        return StepResult(number, mean_loss, rate, norm, tokens, time.monotonic() - start)

    def _clipped_norm(self, parameters: list[torch.nn.Parameter]) -> float:
        """Clip the gradients; their norm before that, over all shards."""
        norm = self.accelerator.clip_grad_norm_(parameters, self.config.max_grad_norm)
        return float(gathered({"norm": norm}, keep=True)["norm"])

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[Any]:
        """The bare model in evaluation mode; back in training mode afterwards."""
        self.model.eval()
        try:
            yield self.model
        finally:
            set_train_mode(self.model, self.config.last_layers)

    def hidden_states_pay(self, folder: Path) -> bool:
        """Whether a run computes the layers below `last_layers` once for all its epochs, with a file in `folder`.

        That decides the last digits of its losses, in bfloat16 more of them: whoever does its steps again asks as well.
        Where `folder` lies on a disk that has no room for the file, the log says so.
        """
        if self.config.last_layers is None or self.config.epochs <= 1 or self.distributed:
            return False
        size = HiddenStateCache.size(self.model, self.examples, self.precision)
        folder.mkdir(parents=True, exist_ok=True)
        if size * 1.2 > shutil.disk_usage(folder).free:
            log.warning("the frozen layers are computed in every epoch: keeping their output takes %d MiB", size >> 20)
            return False
        return True

    def cache_hidden_states(
        self, folder: Path, progress: Callable[[int], None] = lambda _: None, only: Sequence[int] | None = None
    ) -> None:
        """Compute the layers below `last_layers` once for all epochs, with a file in `folder`; nothing without them.

        For `progress` and `only` see `HiddenStateCache.fill`.

        Raises:
            OSError: the disk has no room for the file.
        """
        if self.config.last_layers is None:
            return
        self.hidden_states = None  # an earlier one's file gives its room back first
        cache = HiddenStateCache(self.model, self.config.last_layers, self.examples, folder, self.precision)
        cache.fill(self.model, self.max_tokens_per_forward, self.layout, self.device, progress, only)
        self.hidden_states = cache

    # Checkpoints

    def tensors(self) -> tuple[Tensors, Tensors, Tensors]:
        """Weights, optimizer and random state, as a checkpoint holds them.

        Where the model is sharded every process has to call it, and the main one gets them whole.
        """
        weights = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        moments = {
            f"{key}/{name}": value
            for name, p in weights.items()
            for key, value in self.optimizer.state.get(p, {}).items()
            if isinstance(value, torch.Tensor)
        }
        if self.sharded:
            main = self.accelerator.is_main_process
            weights, moments = gathered(weights, keep=main), gathered(moments, keep=main)
        return weights, moments, generator_states(self.device)

    def weights_to_save(self) -> Tensors | None:
        """The weights of the model's files where they have to be gathered for that; None where the model has them.

        Where the model is sharded every process has to call it, and the main one gets them whole.
        """
        if not self.sharded:
            return None
        wanted = {n: p for n, p in self.model.named_parameters() if p.requires_grad or self.config.method != "lora"}
        return gathered(wanted, keep=self.accelerator.is_main_process)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint's state.

        Raises:
            KeyError: it belongs to another model.
        """
        weights = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        with torch.no_grad():
            for name, p in weights.items():
                p.copy_(sharded_like(p, checkpoint.weights[name]))
        for key, value in checkpoint.optimizer.items():
            kind, _, name = key.partition("/")
            target = weights[name]
            # The fused AdamW reads its count of steps where the weights are.
            self.optimizer.state[target][kind] = (
                value.to(target.device) if kind == "step" else sharded_like(target, value)
            )
        self._weights_changed()
        set_generator_states(checkpoint.random, self.device)
        self.counters = checkpoint.counters

    def _weights_changed(self) -> None:
        if self.copies is not None:
            self.copies.refresh()

    def _batches(self, indices: list[int]) -> list[tuple[ForwardBatch, float]]:
        """This process's batches, each with its weight in the sum: 0 for one that only keeps the others company.

        The step's examples are dealt by length, so that each process has about as much to do, and every process makes
        as many passes, since some ways of sharing weights make each one wait for all.
        """
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        order = sorted(indices, key=lambda index: (-self.schedule.lengths[index], index))
        dealt = [order[process::world] or order[:1] for process in range(world)]
        packed = [pack_batches(self.examples, own, self.max_tokens_per_forward, self.layout) for own in dealt]
        mine, weight = packed[rank], float(rank < len(order))
        rounds = max(len(batches) for batches in packed)
        return [(batch, weight) for batch in mine] + [(mine[-1], 0.0)] * (rounds - len(mine))

    def _synchronised(self, *, last: bool) -> Any:
        """Gradients are exchanged with the step's last backward pass only; sharded ones at once, or each process would
        hold all of them."""
        return contextlib.nullcontext() if last or self.sharded else self.accelerator.no_sync(self._wrapped)

    def _hidden_states_of(self, batch: ForwardBatch) -> Any:
        cache = self.hidden_states
        return contextlib.nullcontext() if cache is None else cache.feeding(batch, self.device)


def _optimizer(model: Any, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019); biases and norms do not decay."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=config.learning_rate, fused=True)
