"""Frozen lower layers, computed once: their output for every training example, kept in a file and read in each epoch.

A model of which only the last k layers are trained gives, below them, the same hidden states in every epoch. They are
computed in passes that depend on nothing but the training set, so that a resumed run reads bitwise what the first
attempt read.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medqa_core.foundation.errors import InputError
from medqa_core.models.prompt import Example
from medqa_core.training.batching import Layout, Pass, lay_out


def layers_of(model: Any) -> tuple[Any, torch.nn.ModuleList]:
    """The module that holds the model's layers, and the layers.

    Raises:
        InputError: a model whose layers are not in one list.
    """
    count = model.config.num_hidden_layers
    for module in model.modules():
        for child in module.children():
            if isinstance(child, torch.nn.ModuleList) and len(child) == count:
                return module, child
    raise InputError(f"method: last_k cannot be used with a {model.config.model_type} model; use lora or full.")


def freeze_all_but_last(model: Any, k: int) -> None:
    """Freeze everything but the last `k` layers and what comes between them and the output embedding.

    Raises:
        InputError: the model has not more than `k` layers.
    """
    holder, layers = layers_of(model)
    if k >= len(layers):
        raise InputError(f"last_k: the model has {len(layers)} layers; give fewer, or use method full.")
    model.requires_grad_(False)
    children = list(holder.children())
    after = children[next(i for i, child in enumerate(children) if child is layers) + 1 :]
    for module in [*layers[-k:], *(m for m in after if not isinstance(m, torch.nn.Embedding))]:
        module.requires_grad_(True)


def training_mode(model: Any, k: int | None) -> None:
    """Dropout on, but not below the last `k` layers where those below are frozen (None: nothing is)."""
    model.train()
    if k is not None:
        holder, layers = layers_of(model)
        for child in holder.children():
            if child is layers:
                for layer in layers[:-k]:
                    layer.eval()
                break
            child.eval()


class _Reached(Exception):
    """The first trained layer was reached: what is above it is not computed."""


class _Skipped(torch.nn.Module):
    """Stands in for a frozen layer whose output is known."""

    def forward(self, hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return hidden_states


class HiddenStates:
    """What goes into the first trained layer, for each training example: float32 rows in a file."""

    def __init__(self, model: Any, k: int, examples: Sequence[Example], folder: Path) -> None:
        """Make room; `fill` computes. `folder` gets a file that is gone when this object is."""
        self._holder, self._layers = layers_of(model)
        self._first = len(self._layers) - k
        self._examples = examples
        lengths = [len(example.input_ids) for example in examples]
        self._starts = np.concatenate([[0], np.cumsum(lengths)])
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, prefix="hidden-states-") as file:  # the mapping keeps it alive
            self._rows = np.memmap(
                file, dtype=np.float32, mode="w+", shape=(int(self._starts[-1]), model.config.hidden_size)
            )

    @staticmethod
    def size(model: Any, examples: Sequence[Example]) -> int:
        """Bytes that the file takes."""
        return 4 * int(model.config.hidden_size) * sum(len(example.input_ids) for example in examples)

    @torch.no_grad()
    def fill(
        self, model: Any, budget: int, layout: Layout, device: str, progress: Callable[[int], None] = lambda _: None
    ) -> None:
        """Compute the lower layers once for every example; `progress` gets the examples done since the last call."""
        caught: list[torch.Tensor] = []

        def catch(_: Any, args: tuple[torch.Tensor, ...], kwargs: dict[str, Any]) -> None:
            caught.append(args[0] if args else kwargs["hidden_states"])
            raise _Reached

        for one in lay_out(self._examples, range(len(self._examples)), budget, layout):
            handle = self._layers[self._first].register_forward_pre_hook(catch, with_kwargs=True)
            try:
                borders = {} if one.borders is None else {"borders": one.borders}
                model(
                    input_ids=one.input_ids.to(device),
                    position_ids=one.position_ids.to(device),
                    use_cache=False,
                    **borders,
                )
            except _Reached:
                pass
            finally:
                handle.remove()
            for index, rows in zip(one.members, _apart(one, caught.pop().float().cpu()), strict=True):
                self._rows[self._starts[index] : self._starts[index + 1]] = rows.numpy()
            progress(len(one.members))

    @contextmanager
    def feeding(self, one: Pass, device: str) -> Iterator[None]:
        """Inside the block a forward pass of `one` starts at the first trained layer."""
        parts = [torch.from_numpy(self._rows[self._starts[i] : self._starts[i + 1]]) for i in one.members]
        if one.borders is not None:
            known = torch.cat(parts)[None].to(device)
        else:
            known = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True).to(device)

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


def _apart(one: Pass, hidden: torch.Tensor) -> list[torch.Tensor]:
    """Each example's own rows of a pass's hidden states."""
    if one.borders is not None:
        return list(torch.split(hidden[0], list(one.lengths)))
    return [hidden[row, :length] for row, length in enumerate(one.lengths)]
