"""The adapter's layers with their arithmetic fused, for training on a CPU.

y = x Wᵀ + s (x Aᵀ) Bᵀ (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"). peft computes the
second term as tensors of its own, scales them and adds them; here the products go straight into the result. Forward
and gradients are the same up to rounding.
"""

from types import MethodType
from typing import Any

import torch
from peft.tuners.lora.layer import Linear
from torch.nn import functional

from medqa_core.training.bfloat16 import cast, compute_copy


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        ctx.kinds = a.dtype, b.dtype
        weight, a, b = compute_copy(weight), compute_copy(a), compute_copy(b)
        flat = x.reshape(-1, x.shape[-1])
        low = flat @ a.t()
        y = functional.linear(flat, weight, bias)
        y.addmm_(low, b.t(), alpha=scale)
        ctx.save_for_backward(flat, weight, a, b, low)
        ctx.scale = scale
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        flat, weight, a, b, low = ctx.saved_tensors
        of_a, of_b = ctx.kinds
        gradient = gradients[0].reshape(-1, weight.shape[0])
        small = (gradient @ b).mul_(ctx.scale)
        to_a = small.t() @ flat
        to_b = (gradient.t() @ low).mul_(ctx.scale)
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = (gradient @ weight).addmm_(small, a).view(*gradients[0].shape[:-1], -1)
        return to_x, None, None, to_a.to(of_a), to_b.to(of_b), None


def _forward(layer: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    name = layer.active_adapters[0] if layer.active_adapters else None
    if layer.disable_adapters or layer.merged or args or kwargs or name not in layer.lora_A or not layer.training:
        whole: torch.Tensor = Linear.forward(layer, x, *args, **kwargs)
        return whole
    base = layer.base_layer
    if base.weight.dtype == torch.bfloat16:
        x = cast(x)
    fused: torch.Tensor = _Fused.apply(  # type: ignore[no-untyped-call]
        x, base.weight, base.bias, layer.lora_A[name].weight, layer.lora_B[name].weight, layer.scaling[name]
    )
    return fused


def fuse(model: Any) -> int:
    """Fuse every plain adapter layer of `model`; those with dropout, a bias or another shape stay peft's own.

    Returns:
        The number of layers fused.
    """
    count = 0
    for layer in model.modules():
        if type(layer) is not Linear or type(layer.base_layer) is not torch.nn.Linear:
            continue
        (name,) = layer.active_adapters
        plain = isinstance(layer.lora_dropout[name], torch.nn.Identity) and layer.lora_A[name].bias is None
        if plain and not layer.use_dora.get(name) and layer.lora_B[name].bias is None and not layer.fan_in_fan_out:
            layer.forward = MethodType(_forward, layer)
            count += 1
    return count
