"""The last layers of a model, where only they are trained (method `last_k`) or carry an adapter (`lora_layers`)."""

from typing import Any

import torch

from medqa_core.foundation.errors import InputError


def decoder_layers(model: Any) -> tuple[Any, torch.nn.ModuleList]:
    """The module that holds the model's layers, and the layers.

    Raises:
        InputError: a model whose layers are not in one list.
    """
    count = model.config.num_hidden_layers
    for module in model.modules():
        for child in module.children():
            if isinstance(child, torch.nn.ModuleList) and len(child) == count:
                return module, child
    raise InputError(f"last_k cannot be used with a {model.config.model_type} model; use lora or full.", field="method")


def last_layers(model: Any, k: int) -> list[int]:
    """The places of the last `k` layers, which get an adapter.

    Raises:
        InputError: the model has fewer.
    """
    _, layers = decoder_layers(model)
    if k > len(layers):
        raise InputError(f"the model has {len(layers)} layers; give fewer, or none for all.", field="lora_layers")
    return list(range(len(layers) - k, len(layers)))


def freeze_all_but_last(model: Any, k: int) -> None:
    """Freeze everything but the last `k` layers and what comes between them and the output embedding.

    Raises:
        InputError: the model has not more than `k` layers.
    """
    holder, layers = decoder_layers(model)
    if k >= len(layers):
        raise InputError(f"the model has {len(layers)} layers; give fewer, or use method full.", field="last_k")
    model.requires_grad_(False)
    children = list(holder.children())
    after = children[next(i for i, child in enumerate(children) if child is layers) + 1 :]
    for module in [*layers[-k:], *(m for m in after if not isinstance(m, torch.nn.Embedding))]:
        module.requires_grad_(True)


def set_train_mode(model: Any, k: int | None) -> None:
    """Dropout on, but not below the last `k` layers where those below are frozen (None: nothing is)."""
    model.train()
    if k is not None:
        holder, layers = decoder_layers(model)
        for child in holder.children():
            if child is layers:
                for layer in layers[:-k]:
                    layer.eval()
                break
            child.eval()
