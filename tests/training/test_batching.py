"""How a step's examples are packed into batches: nothing lost, nothing over budget, the padded batch's loss."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import IGNORED, Example
from medqa_core.training.attention import use_packed_attention
from medqa_core.training.batching import ForwardBatch, Layout, layout_for, pack_batches
from medqa_core.training.loss import answer_loss
from tests.training.toy_state import examples, toy

LAYOUTS: tuple[Layout, ...] = ("packed", "padded")


def made(lengths: list[int]) -> list[Example]:
    return [Example(list(range(1, n + 1)), max(1, n // 3), 0, False) for n in lengths]


@pytest.mark.parametrize("layout", LAYOUTS)
@given(st.lists(st.integers(2, 50), min_size=1, max_size=30), st.integers(16, 120))
def test_every_example_once_and_within_the_budget(layout: Layout, lengths: list[int], budget: int) -> None:
    few = made(lengths)
    batches = pack_batches(few, range(len(few)), budget, layout)
    assert Counter(index for one in batches for index in one.indices) == Counter(range(len(few)))
    for one in batches:
        assert one.input_ids.numel() <= budget or len(one.indices) == 1
        assert one.input_ids.shape == one.position_ids.shape
        counted = int((one.targets != IGNORED).sum())
        assert counted == sum(len(few[i].input_ids) - few[i].prompt_tokens for i in one.indices)
    if layout == "packed":
        assert sum(one.input_ids.numel() for one in batches) == sum(lengths)


def test_packing_wastes_little() -> None:
    few = made([100, 90, 60, 50, 40, 30, 20, 10])
    assert len(pack_batches(few, range(8), 200, "packed")) == 2


def test_the_layout_suits_the_device() -> None:
    assert [layout_for(device) for device in ("cpu", "cuda", "cuda:1", "mps")] == ["packed", *["padded"] * 3]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("boundaries_arrive", [True, False])
def test_loss_and_gradients_are_those_of_the_padded_batch(
    lab: Settings, layout: Layout, boundaries_arrive: bool
) -> None:
    """Against the model's own forward pass, one example at a time: nothing can look from one to the next there."""
    base = toy(lab)
    few = examples(base, 9)
    model = base.model.train()
    counted = sum(len(e.input_ids) - e.prompt_tokens for e in few)
    reference = 0.0
    for example in few:
        logits = model(input_ids=torch.tensor([example.input_ids])).logits[0]
        first = example.prompt_tokens
        loss = functional.cross_entropy(
            logits[first - 1 : -1], torch.tensor(example.input_ids[first:]), reduction="sum"
        )
        torch.autograd.backward(loss / counted)
        reference += float(loss.detach())
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()

    use_packed_attention(model)
    nats = 0.0
    for one in pack_batches(few, range(9), 600, layout):
        if not boundaries_arrive and one.boundaries is not None:  # a model that does not hand them down
            one.__dict__["placement"] = _positions_of(one)
        loss, sum_ = answer_loss(model, one, 1 / counted, "cpu")
        torch.autograd.backward(loss)
        nats += float(sum_)
        assert float(loss.detach()) == pytest.approx(float(sum_) / counted)
    assert nats / counted == pytest.approx(reference / counted, abs=1e-5)
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.grad, expected[name], atol=1e-6, rtol=1e-4)


def _positions_of(batch: ForwardBatch) -> Callable[[str], dict[str, Any]]:
    return lambda device: {"position_ids": batch.position_ids.to(device)}


def test_a_factor_from_above_reaches_the_gradients(lab: Settings) -> None:
    base = toy(lab)
    (one,) = pack_batches(examples(base, 3), range(3), 10_000, "padded")
    gradients = []
    for scale in (1.0, 4.0):
        base.model.zero_grad()
        loss, _ = answer_loss(base.model, one, 0.01, "cpu")
        torch.autograd.backward(loss * scale)
        gradients.append(base.model.model.norm.weight.grad.clone())
    torch.testing.assert_close(gradients[0] * 4, gradients[1])
