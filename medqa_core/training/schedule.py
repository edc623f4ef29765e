"""Which examples each optimizer step sees, and at what learning rate: a function of the configuration alone.

Nothing here has a state: the sampler's position is the number of the step, so a resumed run sees what the
uninterrupted one would have seen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch

from medqa_core.runs.schema.config import TrainConfig


@dataclass(frozen=True)
class TrainingSchedule:
    """The optimizer steps of a fine-tune, counted from 1."""

    config: TrainConfig
    lengths: tuple[int, ...]
    """Tokens of each training example."""

    @classmethod
    def of(cls, config: TrainConfig, lengths: Sequence[int]) -> "TrainingSchedule":
        """The schedule for training examples of these lengths."""
        return cls(config, tuple(lengths))

    @cached_property
    def steps_per_epoch(self) -> int:
        """Optimizer steps per epoch; the last one of an epoch may be smaller."""
        return self.config.steps_per_epoch(len(self.lengths))

    @cached_property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.config.steps(len(self.lengths))

    @cached_property
    def total_tokens(self) -> int:
        """Tokens of the whole run, padding not counted."""
        whole, rest = divmod(self.total_steps, self.steps_per_epoch)
        first = whole * self.steps_per_epoch
        return whole * sum(self.lengths) + sum(self.tokens(first + n) for n in range(1, rest + 1))

    def examples(self, step: int) -> list[int]:
        """Indices of the training examples of a step, in their random order."""
        epoch, position = divmod(step - 1, self.steps_per_epoch)
        order = _order(len(self.lengths), self.config.seed, epoch)
        first = position * self.config.effective_batch
        return list(order[first : first + self.config.effective_batch])

    def tokens(self, step: int) -> int:
        """Tokens of a step, padding not counted."""
        return sum(self.lengths[index] for index in self.examples(step))

    def validations_from(self, step: int) -> int:
        """Validations at `step` and later: before the first step, every `eval_steps` steps, and after the last one."""
        return math.ceil(self.total_steps / self.config.eval_steps) - (step - 1) // self.config.eval_steps

    def seen(self, step: int) -> int:
        """Examples seen after a step, repeats counted."""
        return self.config.examples_seen(step, len(self.lengths))

    def epoch(self, step: int) -> float:
        """Epochs done after a step."""
        return self.seen(step) / len(self.lengths)

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step: linear warm-up to the peak, then as `config.schedule` says; never 0."""
        return self.config.learning_rate_at(step, len(self.lengths))


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> tuple[int, ...]:
    """A permutation that only the seed and the number of the epoch decide; no global generator is touched."""
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    return tuple(torch.randperm(count, generator=generator).tolist())
