"""Attention inside each example of a packed row, in bfloat16: near float32, in both directions."""

from itertools import pairwise

import pytest
import torch
from torch.nn import functional

from medqa_core.training import attention
from medqa_core.training.attention import packed_attention


@pytest.mark.parametrize(("heads", "groups"), [(9, 3), (4, 4), (6, 1)])
@pytest.mark.parametrize("rows", [16, 256])
def test_outputs_and_gradients_are_those_of_float32(
    monkeypatch: pytest.MonkeyPatch, heads: int, groups: int, rows: int
) -> None:
    monkeypatch.setattr(attention, "ROWS", rows)
    generator = torch.Generator().manual_seed(0)
    boundaries = (0, 37, 38, 90)
    shapes = ((1, heads, 90, 32), (1, groups, 90, 32), (1, groups, 90, 32))
    exact = [torch.randn(shape, generator=generator).bfloat16().float().requires_grad_() for shape in shapes]
    ours = [one.detach().bfloat16().requires_grad_() for one in exact]
    query, key, value = ours
    upstream = torch.randn(1, 90, heads, 32, generator=generator).bfloat16()
    output, _ = packed_attention(torch.nn.Module(), query, key, value, None, scaling=0.4, boundaries=boundaries)
    repeated = [exact[0], *(one.repeat_interleave(heads // groups, 1) for one in exact[1:])]
    parts = []
    for start, end in pairwise(boundaries):
        q, k, v = (one[:, :, start:end] for one in repeated)
        parts.append(functional.scaled_dot_product_attention(q, k, v, scale=0.4, is_causal=True))
    expected = torch.cat(parts, 2).transpose(1, 2)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), expected, atol=0.02, rtol=0.02)
    for found, wanted in zip(
        torch.autograd.grad(output, ours, upstream), torch.autograd.grad(expected, exact, upstream.float()), strict=True
    ):
        assert float((found.float() - wanted).norm() / wanted.norm()) < 0.01
