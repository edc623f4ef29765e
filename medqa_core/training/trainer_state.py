"""The training loop: one optimizer step at a time, exact to the bit on a CPU, on one process or several.

What a step does is a function of the weights, the optimizer's moments, the random state and the number of the step.
All four go into a checkpoint, so that an interrupted run goes on as if nothing had happened.
"""

import contextlib
import math
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
from medqa_core.training.batching import Pass, lay_out, layout_for
from medqa_core.training.checkpoint import Checkpoint, Tensors
from medqa_core.training.frozen import HiddenStates, training_mode
from medqa_core.training.loss import answer_loss
from medqa_core.training.model import trainable
from medqa_core.training.schedule import Plan
from medqa_core.training.stop import Interrupted, StopFlag

CPU_TOKENS, ACCELERATOR_TOKENS = 1024, 8192
"""Tokens a forward pass where the configuration does not say."""


@dataclass(frozen=True)
class Step:
    """What one optimizer step came to."""

    number: int
    loss: float
    """Nats an answer token, over the whole step's examples."""
    learning_rate: float
    grad_norm: float
    """Before clipping."""
    tokens: int
    seconds: float


def accelerator_for(device: str) -> Accelerator:
    """The processes of this training (one, unless `accelerate launch` made more), with a precision that suits.

    bfloat16 where a CUDA device computes in it; float32 on a CPU, where bfloat16 is several times slower, and on MPS.

    Raises:
        InputError: the launcher was told to share the weights out (FSDP, DeepSpeed).
    """
    precision = "bf16" if device.startswith("cuda") and torch.cuda.is_bf16_supported() else "no"
    accelerator = Accelerator(cpu=device == "cpu", mixed_precision=precision)
    if accelerator.distributed_type in (DistributedType.FSDP, DistributedType.DEEPSPEED):
        raise InputError("FSDP and DeepSpeed are not supported: launch data-parallel (DDP), or use method lora.")
    return accelerator


class Fit:
    """A model on its way through the steps of a plan."""

    def __init__(
        self,
        config: TrainConfig,
        base: LoadedModel,
        examples: Sequence[Example],
        accelerator: Accelerator,
        stop: StopFlag | None = None,
    ) -> None:
        """Make the model trainable and its optimizer; `config.seed` decides every random number from here on."""
        torch.manual_seed(config.seed)
        self.config = config
        self.examples = examples
        self.accelerator = accelerator
        self.stop = stop or StopFlag()
        self.device = base.device
        self.layout = layout_for(base.device)
        self.budget = config.max_tokens_per_forward or (CPU_TOKENS if base.device == "cpu" else ACCELERATOR_TOKENS)
        self.plan = Plan.of(config, [len(example.input_ids) for example in examples])
        self.model = trainable(base, config)
        self.hidden: HiddenStates | None = None
        self._wrapped, self.optimizer = accelerator.prepare(self.model, _optimizer(self.model, config))
        self._last_k = config.last_k if config.method == "last_k" else None
        training_mode(self.model, self._last_k)

    @property
    def trained(self) -> int:
        """Weights that are trained."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    def keep_frozen_output(self, folder: Path, progress: Callable[[int], None] = lambda _: None) -> None:
        """Compute the frozen layers once for all epochs, with a file in `folder`. For method `last_k` only."""
        hidden = HiddenStates(self.model, self.config.last_k, self.examples, folder)
        hidden.fill(self.model, self.budget, self.layout, self.device, progress)
        self.hidden = hidden

    def step(self, number: int) -> Step:
        """Do the optimizer step `number`, counted from 1.

        Raises:
            Interrupted: a stop was asked for; weights, moments and random state are those before this step.
        """
        start = time.monotonic()
        random = self._random() if not self._together else {}
        chosen = self.plan.examples(number)
        counted = sum(len(self.examples[i].input_ids) - self.examples[i].prompt_tokens for i in chosen)
        # DDP averages the processes' gradients: times their number, the sum is that of one process.
        factor = self.accelerator.num_processes / max(1, counted)
        nats = torch.zeros((), dtype=torch.float64)
        passes = self._passes(chosen)
        try:
            for place, (one, counts) in enumerate(passes):
                if not self._together:
                    self.stop.check()
                last = place == len(passes) - 1
                with contextlib.nullcontext() if last else self.accelerator.no_sync(self._wrapped), self._fed(one):
                    loss, sum_ = answer_loss(self._wrapped, one, factor * counts, self.device)
                    self.accelerator.backward(loss)
                nats += sum_.detach().cpu().double() * counts
        except Interrupted:
            self.optimizer.zero_grad(set_to_none=True)
            self._set_random(random)
            raise
        if self._together:
            nats = self.accelerator.reduce(nats.to(self.device), reduction="sum").cpu()
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        norm = float(self.accelerator.clip_grad_norm_(parameters, self.config.max_grad_norm))
        rate = self.plan.learning_rate(number)
        if math.isfinite(norm) and math.isfinite(float(nats)):  # or every weight would become NaN
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        loss_value = float(nats) / counted if counted else math.nan
        tokens = sum(self.plan.lengths[index] for index in chosen)
        return Step(number, loss_value, rate, norm, tokens, time.monotonic() - start)

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[Any]:
        """The bare model in evaluation mode; back in training mode afterwards."""
        self.model.eval()
        try:
            yield self.model
        finally:
            training_mode(self.model, self._last_k)

    def tensors(self) -> tuple[Tensors, Tensors, Tensors]:
        """Weights, optimizer and random state, as a checkpoint holds them."""
        weights = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        moments = {
            f"{key}/{name}": value
            for name, p in weights.items()
            for key, value in self.optimizer.state.get(p, {}).items()
            if isinstance(value, torch.Tensor)
        }
        return weights, moments, self._random()

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint's state.

        Raises:
            KeyError: it belongs to another model.
        """
        weights = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        with torch.no_grad():
            for name, p in weights.items():
                p.copy_(checkpoint.weights[name])
        for key, value in checkpoint.optimizer.items():
            kind, _, name = key.partition("/")
            target = weights[name]
            self.optimizer.state[target][kind] = value if kind == "step" else value.to(target.device)
        self._set_random(checkpoint.random)

    @property
    def _together(self) -> bool:
        return bool(self.accelerator.num_processes > 1)

    def _fed(self, one: Pass) -> Any:
        return contextlib.nullcontext() if self.hidden is None else self.hidden.feeding(one, self.device)

    def _passes(self, chosen: list[int]) -> list[tuple[Pass, float]]:
        """This process's passes, each with the factor it counts with: 0 for one that only keeps the others company.

        The step's examples are dealt by length, so that each process has about as much to do, and every process makes
        as many passes, since some ways of sharing weights make each one wait for all.
        """
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        order = sorted(chosen, key=lambda index: (-self.plan.lengths[index], index))
        shares = [order[one::world] or order[:1] for one in range(world)]
        laid = [lay_out(self.examples, share, self.budget, self.layout) for share in shares]
        mine, idle = laid[rank], float(rank < len(order))
        rounds = max(len(passes) for passes in laid)
        return [(one, idle) for one in mine] + [(mine[-1], 0.0)] * (rounds - len(mine))

    def _random(self) -> Tensors:
        states = {"cpu": torch.get_rng_state()}
        if self.device.startswith("cuda"):
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        elif self.device == "mps":
            states["mps"] = torch.mps.get_rng_state()
        return states

    def _set_random(self, states: Tensors) -> None:
        if "cpu" in states:
            torch.set_rng_state(states["cpu"])
        if "cuda" in states and self.device.startswith("cuda"):
            torch.cuda.set_rng_state(states["cuda"], self.device)
        if "mps" in states and self.device == "mps":
            torch.mps.set_rng_state(states["mps"])


def _optimizer(model: Any, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019); biases and norms do not decay."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=config.learning_rate, fused=True)
