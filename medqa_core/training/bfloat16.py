"""Matrix products in bfloat16 on a CPU: trained weights and their gradients stay float32.

A frozen matrix is kept in bfloat16 alone. A trained one has a copy in bfloat16, made anew once per optimizer step and
not, as under autocast, once per forward pass. What lies between the products (norms, residuals, positions, the loss)
is float32 (Micikevicius et al. 2018, "Mixed Precision Training"; bfloat16 needs no loss scaling).

The copies are rounded with a dither, a fixed random threshold for each place. Weights that were published in few bits
stand on bfloat16's grid or halfway between its points. Rounded to the nearest, the former would not move for many steps
and the latter would all jump in the first one, a step far larger than the learning rate says; with a dither the copies
move as much as the weights do, on average.
"""

from dataclasses import dataclass
from functools import cache
from types import MethodType
from typing import Any

import torch
from torch.nn import functional
from transformers.pytorch_utils import Conv1D

CHUNK = 2**18
"""Weights rounded at a time: they stay in a core's cache. The dither repeats after so many."""
_COPY = "bfloat16_copy"
"""The attribute of a parameter, or of what goes into a layer, that holds its copy."""


@dataclass(frozen=True)
class Copies:
    """The trained parameters of a model with what is computed with in their place."""

    parameters: list[Any]
    copies: list[Any]

    @torch.no_grad()
    def refresh(self) -> None:
        """Make the copies anew; to be called whenever the parameters have changed."""
        thresholds = _thresholds()
        work = torch.empty_like(thresholds)
        for parameter, copy in zip(self.parameters, self.copies, strict=True):
            bits = parameter.view(-1).view(torch.int32)
            for part, target in zip(bits.split(CHUNK), copy.view(-1).split(CHUNK), strict=True):
                room = work[: len(part)]
                # bfloat16 is the upper half of float32: what is added to the lower half carries over by chance.
                torch.add(part, thresholds[: len(part)], out=room)
                target.copy_(room.bitwise_and_(-(2**16)).view(torch.float32))


def take_copy(source: torch.Tensor, target: torch.Tensor) -> None:
    """Let `target`, which takes the place of `source` in a model, have a copy of its own where that has one."""
    if hasattr(source, _COPY):
        setattr(target, _COPY, torch.empty_like(target, dtype=torch.bfloat16, requires_grad=False))


def compute_copy(parameter: torch.Tensor) -> torch.Tensor:
    """What stands in for `parameter` in a matrix product: its copy in bfloat16, or itself."""
    copy: torch.Tensor = getattr(parameter, _COPY, parameter)
    return copy


def cast(x: torch.Tensor) -> torch.Tensor:
    """`x` in bfloat16; layers that read the same tensor, as query, key and value do, share its cast."""
    if x.dtype == torch.bfloat16:
        return x
    if x.is_inference():
        return x.bfloat16()
    state = x._version, torch.is_grad_enabled()
    known = getattr(x, _COPY, None)
    if known is None or known[0] != state:
        known = state, x.bfloat16()
        setattr(x, _COPY, known)
    made: torch.Tensor = known[1]
    return made


def compute_in_bfloat16(model: Any) -> Copies:
    """Let `model`, whose weights are frozen or trained for good, compute its matrix products in bfloat16.

    Returns:
        The copies of its trained parameters.
    """
    layers: list[Any] = [module for module in model.modules() if type(module) in (torch.nn.Linear, Conv1D)]
    embeddings = [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    for embedding in embeddings:
        if not embedding.weight.requires_grad:
            embedding.weight.data = embedding.weight.data.bfloat16()
            embedding.register_forward_hook(_to_float32)
    trained: dict[int, torch.Tensor] = {}
    for layer in layers:
        for parameter in (layer.weight, layer.bias):
            if parameter is None:
                continue
            if parameter.requires_grad:
                trained[id(parameter)] = parameter
            else:
                parameter.data = parameter.data.bfloat16()
        layer.forward = MethodType(_product, layer)
    parameters = list(trained.values())
    for parameter in parameters:
        setattr(parameter, _COPY, torch.empty_like(parameter, dtype=torch.bfloat16, requires_grad=False))
    copies = Copies(parameters, [compute_copy(parameter) for parameter in parameters])
    if not any(parameter.is_meta for parameter in parameters):  # a model without memory, whose shapes alone count
        copies.refresh()
    return copies


@cache
def _thresholds() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)  # its own: the global one is the training's
    return torch.randint(0, 2**16, (CHUNK,), generator=generator, dtype=torch.int32)


def _to_float32(_: Any, __: Any, output: torch.Tensor) -> torch.Tensor:
    return output.float()


def _product(layer: Any, x: torch.Tensor) -> torch.Tensor:
    y: torch.Tensor = _Product.apply(  # type: ignore[no-untyped-call]
        cast(x), layer.weight, layer.bias, isinstance(layer, Conv1D)
    )
    return y


class _Product(torch.autograd.Function):
    """A linear layer on bfloat16 input. `turned`: the weight is (in, out), as GPT-2 keeps it."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, turned: bool
    ) -> torch.Tensor:
        copy = compute_copy(weight)
        ctx.save_for_backward(x, copy)
        ctx.turned = turned
        ctx.kinds = weight.dtype, None if bias is None else bias.dtype
        return functional.linear(x, copy.t() if turned else copy, None if bias is None else compute_copy(bias))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, copy = ctx.saved_tensors
        gradient = gradients[0]
        to_x = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_x = gradient @ (copy.t() if ctx.turned else copy)
        if ctx.needs_input_grad[1]:
            flat, of_x = gradient.reshape(-1, gradient.shape[-1]), x.reshape(-1, x.shape[-1])
            to_weight = (of_x.t() @ flat if ctx.turned else flat.t() @ of_x).to(ctx.kinds[0])
        if ctx.needs_input_grad[2]:
            to_bias = gradient.reshape(-1, gradient.shape[-1]).sum(0, dtype=ctx.kinds[1])
        return to_x, to_weight, to_bias, None
