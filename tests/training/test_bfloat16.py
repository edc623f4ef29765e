"""Matrix products in bfloat16: near float32, exact on resume, trained weights and their moments float32."""

from pathlib import Path

import pytest
import torch

from medqa_core.foundation.settings import Settings
from medqa_core.training import checkpoint
from medqa_core.training.bfloat16 import cast, compute_copy
from medqa_core.training.checkpoint import Counters
from tests.training.toy_state import METHODS, toy_state


@pytest.mark.parametrize("method", METHODS)
def test_the_losses_are_near_those_of_float32(lab: Settings, method: str) -> None:
    exact, ours = (toy_state(lab, precision=p, **METHODS[method]) for p in ("float32", "bfloat16"))
    for number in range(1, 13):
        a, b = exact.step(number), ours.step(number)
        assert b.loss == pytest.approx(a.loss, abs=0.02)
        assert b.grad_norm == pytest.approx(a.grad_norm, rel=0.1)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_trained_is_float32_and_what_is_frozen_is_kept_once(lab: Settings, method: str) -> None:
    state = toy_state(lab, precision="bfloat16", **METHODS[method])
    state.step(1)
    for name, parameter in state.model.named_parameters():
        frozen = not parameter.requires_grad
        assert parameter.dtype == (torch.bfloat16 if frozen and parameter.ndim == 2 else torch.float32), name
        if not frozen and parameter.ndim == 2:
            assert compute_copy(parameter).dtype == torch.bfloat16
    assert all(value.dtype == torch.float32 for value in state.tensors()[1].values())


@pytest.mark.parametrize("method", METHODS)
def test_resumed_it_is_the_uninterrupted_run(lab: Settings, tmp_path: Path, method: str) -> None:
    changes = METHODS[method]
    whole = toy_state(lab, precision="bfloat16", dropout=0.1, **changes)
    steps = [whole.step(number) for number in range(1, 7)]
    one = toy_state(lab, precision="bfloat16", dropout=0.1, **changes)
    for number in range(1, 4):
        one.step(number)
    checkpoint.write(tmp_path, Counters(step=3), *one.tensors())
    again = toy_state(lab, precision="bfloat16", dropout=0.1, **changes)
    found = checkpoint.newest(tmp_path)
    assert found is not None
    again.restore(found)
    for number in range(4, 7):
        assert again.step(number).loss == steps[number - 1].loss
    weights = whole.tensors()[0]
    assert all(torch.equal(p, weights[name]) for name, p in again.tensors()[0].items())


def test_copies_move_as_much_as_the_weights(lab: Settings) -> None:
    """Weights on bfloat16's grid and halfway between its points: to the nearest none or all would move."""
    state = toy_state(lab, precision="bfloat16", method="full")
    assert state.copies is not None
    weight = state.model.model.layers[0].mlp.up_proj.weight
    for start, spacing in ((1.0, 2**-7), (1.0 + 2**-8, 2**-7)):
        with torch.no_grad():
            weight.fill_(start)
        state.copies.refresh()
        before = compute_copy(weight).double().mean()
        with torch.no_grad():
            weight.add_(spacing / 10)
        state.copies.refresh()
        moved = float(compute_copy(weight).double().mean() - before)
        assert moved == pytest.approx(spacing / 10, rel=0.25)


def test_the_copy_of_zero_and_of_what_bfloat16_holds_is_exact(lab: Settings) -> None:
    state = toy_state(lab, precision="bfloat16", method="full")
    assert state.copies is not None
    weight = state.model.model.layers[0].mlp.up_proj.weight
    with torch.no_grad():
        weight.copy_(torch.randn_like(weight).bfloat16().float())
        weight[0] = 0.0
    state.copies.refresh()
    assert torch.equal(compute_copy(weight).float(), weight)


def test_layers_that_read_the_same_tensor_share_its_cast() -> None:
    x = torch.ones(2, 3, requires_grad=True)
    y = x * 2
    assert cast(y) is cast(y)
    with torch.no_grad():
        assert not cast(y).requires_grad
    first = cast(y)
    y.data.add_(1)
    y.add_(0)
    assert cast(y) is not first
    assert cast(first) is first
