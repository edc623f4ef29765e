"""What a model has to be before anything is trained, measured or asked: one that reads from left to right, in numbers.

Whatever is loaded as a causal language model need not be one: an encoder such as BERT trains without an error, and its
loss means nothing, since it has seen the token that it is to predict.
"""

import inspect
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from medqa_core.foundation.errors import ModelError

TOKENS = 12
"""Of the text that is read twice, the second half changed."""
FAR = 1e-3
"""Logits that differ by more than this, times their spread, are not the same but for rounding."""


@torch.no_grad()
def check_causal(model: Any, label: str) -> None:
    """Refuse a model that looks ahead, or whose weights are no numbers. One look at each, and one short forward pass.

    Args:
        model: in evaluation mode.
        label: what errors call it.

    Raises:
        ModelError: it is one.
    """
    _check_numbers(model, label)
    half, ids = TOKENS // 2, probe(model, TOKENS)
    other = ids.clone()
    other[half:] = (ids[half:] + 1) % _rows(model)
    first, second = model(input_ids=torch.stack([ids, other]), use_cache=False).logits[:, :half].float()
    if not bool(torch.isfinite(first).all()):
        raise ModelError(
            f"{label} answers with NaN, though its weights are numbers: they are too large to compute with."
        )
    if not alike(second, first):
        raise ModelError(
            f"{label} is of the kind {model.config.model_type!r}, in which what comes later in a text changes what is "
            "predicted before it: a loss on its own text would mean nothing. Give a model that reads from left to "
            "right, such as a Llama, Qwen, Gemma or GPT."
        )


def probe(model: Any, tokens: int) -> torch.Tensor:
    """So many tokens, from all over what `model` knows: ids (tokens,) on its device."""
    return ((torch.arange(tokens) * 7919 + 3) % _rows(model)).to(next(model.parameters()).device)


def alike(logits: torch.Tensor, expected: torch.Tensor) -> bool:
    """Whether logits are the expected ones but for rounding; never where one is NaN."""
    return bool((logits - expected).abs().max() <= FAR * expected.std())


def _rows(model: Any) -> int:
    """How many tokens the model has an embedding of."""
    return int(model.get_input_embeddings().weight.shape[0])


def _check_numbers(model: Any, label: str) -> None:
    """Refuse weights that are no numbers, those too that a short text does not reach: a token's, an expert's."""
    for name, parameter in model.named_parameters():
        # The extremes are NaN where any weight is; several times as fast as to ask of each.
        if parameter.is_floating_point() and parameter.numel() and not all(map(torch.isfinite, parameter.aminmax())):
            raise ModelError(
                f"{label} has weights that are NaN or infinite ({name} first): its training broke down, or its file is "
                "damaged."
            )


def attention_of(config: Any, kind: Any = AutoModelForCausalLM) -> str:
    """The attention that a model of this configuration is loaded with: `sdpa`, or `eager` where its kind has no other.

    Args:
        config: a configuration of transformers.
        kind: the automatic class that makes the model.
    """
    made = kind._model_mapping.get(type(config), None)
    classes = made if isinstance(made, tuple | list) else (made,)
    return "sdpa" if all(getattr(one, "_supports_sdpa", True) for one in classes) else "eager"


def takes(model: Any, name: str) -> bool:
    """Whether the model's forward has an argument of this name."""
    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    return name in inspect.signature(bare.forward).parameters
