"""A model that no single device holds: its weights, gradients and moments sharded over the processes of a training.

`accelerate launch --use_fsdp` asks for it. Each layer is a group of PyTorch's FSDP2 (`fully_shard`; Zhao et al. 2023,
"PyTorch FSDP"), the rest is another one. What is written (checkpoints, the model) is gathered first and is the same as
one process writes, so that any number of processes resumes it.
"""

import os
from collections.abc import Mapping
from typing import Any

import torch
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from medqa_core.training.freezing import decoder_layers

ASKED = "ACCELERATE_USE_FSDP"
"""Set by the launcher. accelerate itself heeds it on accelerators only and then wraps the model in its own way."""


def sharding_asked() -> bool:
    """Whether the launcher was told to shard, and made more than one process to shard over."""
    return os.environ.get(ASKED, "").lower() == "true" and int(os.environ.get("WORLD_SIZE", "1")) > 1


def shard(model: Any, compute: torch.dtype | None = None) -> None:
    """Shard `model` in place over all processes, layer by layer, each going to its device as it is sharded.

    Args:
        model: with its trained and frozen weights told apart; all trained ones of one type.
        compute: the type to compute in, gradients still being summed in float32; None = that of the weights.

    Raises:
        InputError: a model whose layers are not in one list.
    """
    policy = MixedPrecisionPolicy(param_dtype=compute, reduce_dtype=None if compute is None else torch.float32)
    _, layers = decoder_layers(model)
    for layer in layers:
        fully_shard(layer, mp_policy=policy)
    fully_shard(model, mp_policy=policy)


def gathered(tensors: Mapping[str, torch.Tensor], *, keep: bool) -> dict[str, torch.Tensor]:
    """Whole tensors from their shards, one after the other, on the CPU. Every process has to call it at the same time.

    Args:
        tensors: sharded or not.
        keep: whether this process wants them; the others help, hold one at a time and get none.
    """
    whole = {}
    for name, tensor in tensors.items():
        value = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        if keep:
            whole[name] = value.detach().cpu()
    return whole


def sharded_like(target: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """A whole tensor that every process has, as `target` is sharded and where it is; no communication."""
    value = value.to(target.device)
    if not isinstance(target, DTensor):
        return value
    return distribute_tensor(value, target.device_mesh, target.placements, src_data_rank=None)
