"""Attention over examples that stand one behind the other in a row: each one is attended to on its own.

Registered with transformers under the name `packed`. Called without boundaries (validation, generation) it is the
library's own `sdpa`. Where a model does not hand the boundaries down to its layers, it gets the block-diagonal mask
that transformers makes from restarting position ids: slower, and the same result.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from medqa_core.models.gate import alike, attention_of, probe
from medqa_core.models.silence import silenced

PACKED = "packed"
PROBE = 8
"""Tokens of each of the two examples that `reads_packed_rows` reads."""
ROWS = 256
"""Queries of a block in the backward pass: it bounds the memory to heads × ROWS × tokens."""


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
    lengths = [end - start for start, end in pairwise(boundaries)]
    attend: Callable[..., torch.Tensor]
    if value.dtype == torch.bfloat16 and value.device.type == "cpu" and not dropout:
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        attend = partial(_CausalAttention.apply, scale)
    else:
        repeats = query.shape[1] // key.shape[1]
        key, value = repeat_kv(key, repeats), repeat_kv(value, repeats)
        attend = partial(functional.scaled_dot_product_attention, dropout_p=dropout, scale=scaling, is_causal=True)
    outputs = [
        attend(q, k, v) for q, k, v in zip(*(torch.split(one, lengths, 2) for one in (query, key, value)), strict=True)
    ]
    return torch.cat(outputs, 2).transpose(1, 2).contiguous(), None


class _CausalAttention(torch.autograd.Function):
    """PyTorch's flash attention in bfloat16 on a CPU, with a backward pass of matrix products in bfloat16.

    PyTorch's own backward pass gains nothing from bfloat16: it takes six times as long as its forward pass. Here the
    attention weights are computed again from the kept logsumexp, ROWS queries at a time, and query heads that share a
    key head share its product (Dao et al. 2022, "FlashAttention", algorithm 4).
    """

    @staticmethod
    def forward(ctx: Any, scale: float, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        repeats = query.shape[1] // key.shape[1]
        output, logsumexp = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            query, repeat_kv(key, repeats), repeat_kv(value, repeats), 0.0, True, scale=scale
        )
        ctx.save_for_backward(query, key, value, output, logsumexp)
        ctx.scale = scale
        result: torch.Tensor = output
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, output, logsumexp = ctx.saved_tensors
        (gradient,) = gradients
        heads, tokens, size = query.shape[1:]
        groups = key.shape[1]
        of_query = torch.empty(query.shape, dtype=query.dtype)
        of_key, of_value = (torch.zeros(one.shape[1:], dtype=one.dtype) for one in (key, value))
        # Σ over keys of weight × its gradient, for each query.
        inner = (gradient * output).sum(-1, keepdim=True, dtype=torch.float32)
        for first in range(0, tokens, ROWS):
            last = min(tokens, first + ROWS)
            keys, values = key[0, :, :last], value[0, :, :last]
            folded = (one[0, :, first:last] for one in (query, gradient, logsumexp.unsqueeze(-1), inner))
            q, g, total, own = (one.reshape(groups, -1, one.shape[-1]) for one in folded)
            # Subtracted inside the product: what is left is near 0 where the weights are large, and rounds well.
            near = (-total).to(q.dtype)
            scores = torch.baddbmm(near.expand(-1, -1, last), q, keys.mT, alpha=ctx.scale).float()
            weights = scores.sub_(total + near).exp_()
            weights.view(heads, last - first, last).tril_(first)
            of_value[:, :last].baddbmm_(weights.to(q.dtype).mT, g)
            of_scores = (g @ values.mT).float().sub_(own).mul_(weights).to(q.dtype)
            of_query[0, :, first:last] = (of_scores @ keys).view(heads, last - first, size)
            of_key[:, :last].baddbmm_(of_scores.mT, q)
        return None, of_query.mul_(ctx.scale), of_key[None].mul_(ctx.scale), of_value[None]


def use_packed_attention(model: Any) -> None:
    """Let `model` take packed rows, if its attention can be exchanged for another one."""
    if attention_of(model.config) != "sdpa":
        return
    AttentionInterface.register(PACKED, packed_attention)
    AttentionMaskInterface.register(PACKED, sdpa_mask)
    with silenced():  # of kinds that keep an attention of their own: `reads_packed_rows` finds them
        model.set_attn_implementation(PACKED)


@torch.no_grad()
def reads_packed_rows(model: Any) -> bool:
    """Whether `model` reads each example of a packed row as if it stood alone; two short forward passes.

    Attention does, with the boundaries or with restarting positions. A state that is carried from token to token, as in
    Mamba and in the kinds that mix it with attention, goes on from one example into the next.
    """
    if model.config._attn_implementation != PACKED:
        return False
    ids = probe(model, 2 * PROBE)[None]
    positions = torch.arange(PROBE, device=ids.device).repeat(2)[None]
    training = model.training
    model.eval()
    try:
        whole = model(input_ids=ids, position_ids=positions, boundaries=(0, PROBE, 2 * PROBE), use_cache=False).logits
        alone = model(input_ids=ids[:, PROBE:], use_cache=False).logits
    except TypeError:  # a forward that takes no such arguments
        return False
    finally:
        model.train(training)
    return alike(whole[:, PROBE:], alone)
