"""A cache of the frozen layers' output: computed once for every training example, read from a file in each epoch.

A model of which only the last k layers are trained, or carry an adapter, gives, below them, the same hidden states in
every epoch. They are computed in batches that depend on nothing but the training set, so that a resumed run reads
bitwise what the first attempt read.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medqa_core.models.prompt import Example
from medqa_core.runs.schema.record import TrainingPrecision
from medqa_core.training.batching import ForwardBatch, Layout, pack_batches
from medqa_core.training.freezing import decoder_layers


class _FirstTrainedLayer(Exception):
    """The first trained layer was reached: what is above it is not computed."""


class _Skipped(torch.nn.Module):
    """Stands in for a frozen layer whose output is known."""

    def forward(self, hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return hidden_states


class HiddenStateCache:
    """The input of the first trained layer, for each training example: rows in a file, in the training's precision."""

    def __init__(
        self,
        model: Any,
        k: int,
        examples: Sequence[Example],
        folder: Path,
        precision: TrainingPrecision = "float32",
    ) -> None:
        """Reserve the file; `fill` computes. `folder` gets a file that is gone when this object is.

        Raises:
            OSError: the disk has no room for it.
        """
        self._kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
        self._holder, self._layers = decoder_layers(model)
        self._first = len(self._layers) - k
        self._examples = examples
        lengths = [len(example.input_ids) for example in examples]
        self._starts = np.concatenate([[0], np.cumsum(lengths)])
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, prefix="hidden-states-") as file:  # the mapping keeps it alive
            if hasattr(os, "posix_fallocate"):  # or a disk that fills later ends the process (SIGBUS), without a word
                os.posix_fallocate(file.fileno(), 0, self.size(model, examples, precision))
            self._rows = np.memmap(
                file,
                dtype=np.int16 if precision == "bfloat16" else np.float32,  # numpy has no bfloat16: its bits
                mode="w+",
                shape=(int(self._starts[-1]), model.config.hidden_size),
            )

    @staticmethod
    def size(model: Any, examples: Sequence[Example], precision: TrainingPrecision = "float32") -> int:
        """Bytes that the file takes."""
        each = 2 if precision == "bfloat16" else 4
        return each * int(model.config.hidden_size) * sum(len(example.input_ids) for example in examples)

    @torch.no_grad()
    def fill(
        self,
        model: Any,
        max_tokens: int,
        layout: Layout,
        device: str,
        progress: Callable[[int], None] = lambda _: None,
        only: Sequence[int] | None = None,
    ) -> None:
        """Compute the lower layers once for every example; `progress` gets the examples done since the last call.

        `only`: of these examples, where no other is going to be read.
        """
        wanted = range(len(self._examples)) if only is None else only
        caught: list[torch.Tensor] = []

        def catch(_: Any, args: tuple[torch.Tensor, ...], kwargs: dict[str, Any]) -> None:
            caught.append(args[0] if args else kwargs["hidden_states"])
            raise _FirstTrainedLayer

        for batch in pack_batches(self._examples, wanted, max_tokens, layout):
            handle = self._layers[self._first].register_forward_pre_hook(catch, with_kwargs=True)
            try:
                model(input_ids=batch.input_ids.to(device), use_cache=False, **batch.placement(device))
            except _FirstTrainedLayer:
                pass
            finally:
                handle.remove()
            for index, rows in zip(batch.indices, _unpacked(batch, caught.pop().cpu()), strict=True):
                self._of(index).copy_(rows)
            progress(len(batch.indices))

    @contextmanager
    def feeding(self, batch: ForwardBatch, device: str) -> Iterator[None]:
        """Inside the block a forward pass of `batch` starts at the first trained layer."""
        parts = [self._of(index) for index in batch.indices]
        if batch.boundaries is not None:
            known = torch.cat(parts)[None].to(device).float()
        else:
            known = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True).to(device).float()

        def feed(_: Any, args: tuple[torch.Tensor, ...], kwargs: dict[str, Any]) -> Any:
            return ((known, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": known})

        handle = self._layers[self._first].register_forward_pre_hook(feed, with_kwargs=True)
        frozen = list(self._layers[: self._first])
        for place in range(self._first):
            self._layers[place] = _Skipped()
        try:
            yield
        finally:
            for place, layer in enumerate(frozen):
                self._layers[place] = layer
            handle.remove()

    def _of(self, index: int) -> torch.Tensor:
        """An example's rows in the file."""
        return torch.from_numpy(self._rows[self._starts[index] : self._starts[index + 1]]).view(self._kind)


def _unpacked(batch: ForwardBatch, hidden: torch.Tensor) -> list[torch.Tensor]:
    """Each example's own rows of a batch's hidden states."""
    if batch.boundaries is not None:
        return list(torch.split(hidden[0], list(batch.lengths)))
    return [hidden[row, :length] for row, length in enumerate(batch.lengths)]
