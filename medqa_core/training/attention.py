"""Attention over examples that stand one behind the other in a row: each one is attended to on its own.

Registered with transformers under the name `packed`. Called without boundaries (validation, generation) it is the
library's own `sdpa`. Where a model does not hand the boundaries down to its layers, it gets the block-diagonal mask
that transformers makes from restarting position ids: slower, and the same result.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

PACKED = "packed"


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    boundaries: Sequence[int] | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention inside each example.

    Args:
        module: the attention layer.
        query: (1, heads, tokens, size); key and value may have fewer heads.
        key: as `query`.
        value: as `query`.
        attention_mask: used only where there are no boundaries.
        dropout: probability.
        scaling: of the scores; None = 1 / sqrt(size).
        boundaries: where each example starts, and the end of the row.
        kwargs: passed on to `sdpa`.

    Returns:
        (1, tokens, heads, size), and no attention weights.
    """
    # Positions are turned in float32; where the values are not, neither is the attention.
    query, key = query.to(value.dtype), key.to(value.dtype)
    if boundaries is None or kwargs.get("sliding_window") is not None:
        output, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return output, None
    repeats = query.shape[1] // key.shape[1]
    key, value = repeat_kv(key, repeats), repeat_kv(value, repeats)
    lengths = [end - start for start, end in pairwise(boundaries)]
    outputs = [
        functional.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=scaling, is_causal=True)
        for q, k, v in zip(*(torch.split(one, lengths, 2) for one in (query, key, value)), strict=True)
    ]
    return torch.cat(outputs, 2).transpose(1, 2).contiguous(), None


def use_packed_attention(model: Any) -> None:
    """Let `model` take packed rows."""
    AttentionInterface.register(PACKED, packed_attention)
    AttentionMaskInterface.register(PACKED, sdpa_mask)
    model.set_attn_implementation(PACKED)
