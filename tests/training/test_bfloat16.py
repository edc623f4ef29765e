"""Matrix products in bfloat16: near float32, exact on resume, trained weights and their moments float32."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import IGNORED
from medqa_core.runs.schema.config import validated
from medqa_core.runs.schema.record import TrainingPrecision
from medqa_core.training import checkpoint, precision
from medqa_core.training.bfloat16 import cast, compute_copy, compute_in_bfloat16
from medqa_core.training.checkpoint import Counters
from medqa_core.training.hidden_states import HiddenStateCache
from medqa_core.training.loss import _CrossEntropy
from medqa_core.training.model import save, trainable
from medqa_core.training.precision import ResolvedPrecision
from medqa_core.training.replay import replay
from medqa_core.training.stop import StopFlag
from medqa_core.training.train import resume, train
from medqa_core.training.trainer_state import TrainerState, accelerator_for
from tests.support.tiny_models import KINDS, random_examples, tiny
from tests.training.toy_state import METHODS, config, toy, toy_state

PRECISIONS: tuple[TrainingPrecision, ...] = ("float32", "bfloat16")


@pytest.mark.parametrize("method", METHODS)
def test_the_losses_are_near_those_of_float32(lab: Settings, method: str) -> None:
    exact, ours = (toy_state(lab, precision=p, **METHODS[method]) for p in ("float32", "bfloat16"))
    for number in range(1, 5):
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


@pytest.mark.parametrize("method", ["lora", "last_k", "full"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_model_is_trained(kind: str, method: str) -> None:
    values = {
        "method": method, "last_k": 1, "batch_size": 6, "gradient_accumulation_steps": 1, "epochs": 3.0,
        "learning_rate": 3e-3, "schedule": "constant", "warmup_steps": 0, "max_tokens_per_forward": 64,
    }  # fmt: skip
    exact, ours = (
        TrainerState(validated(values), tiny(kind), random_examples(), accelerator_for("cpu"), precision=one)
        for one in PRECISIONS
    )
    for number in (1, 2, 3):
        a, b = exact.step(number), ours.step(number)
        assert b.loss == pytest.approx(a.loss, abs=0.02)
        assert b.grad_norm == pytest.approx(a.grad_norm, rel=0.1)


def test_the_fused_adapter_is_autograd_s_own(lab: Settings) -> None:
    """One layer in bfloat16 against the same formula in float32."""
    base = toy(lab)
    model = trainable(base, config())
    compute_in_bfloat16(model).refresh()
    layer = model.base_model.model.model.layers[0].mlp.up_proj
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        b.normal_(std=0.1, generator=generator)
        compute_copy(b).copy_(b)
    x = torch.randn(24, a.shape[1], generator=generator).requires_grad_()
    upstream = torch.randn(24, b.shape[0], generator=generator)
    layer.train()
    y = layer(x)
    assert y.dtype == torch.bfloat16
    found = torch.autograd.grad(y, (x, a, b), upstream.bfloat16())
    reference = x @ layer.base_layer.weight.float().T + layer.scaling["default"] * (x @ a.T) @ b.T
    wanted = torch.autograd.grad(reference, (x, a, b), upstream)
    for one, other in zip((y.float(), *found), (reference, *wanted), strict=True):
        assert one.dtype == torch.float32
        assert float((one - other).detach().norm() / other.detach().norm()) < 0.01


def test_the_cross_entropy_of_bfloat16_logits() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(70, 50, generator=generator).mul(5).bfloat16()
    targets = torch.randint(0, 50, (70,), generator=generator)
    targets[::9] = IGNORED
    ours, exact = logits.clone().requires_grad_(), logits.float().requires_grad_()
    loss, nats = _CrossEntropy.apply(ours * 1, targets, 0.1)  # type: ignore[no-untyped-call]
    loss.backward()
    expected = functional.cross_entropy(exact, targets, ignore_index=IGNORED, reduction="sum")
    (expected * 0.1).backward()  # type: ignore[no-untyped-call]
    assert float(nats) == pytest.approx(float(expected.detach()), rel=1e-6)
    assert ours.grad is not None
    assert ours.grad.dtype == torch.bfloat16
    torch.testing.assert_close(ours.grad.float(), exact.grad, atol=1e-6, rtol=2**-8)


def test_hidden_states_take_half_the_room(lab: Settings, tmp_path: Path) -> None:
    whole, kept = (toy_state(lab, precision="bfloat16", method="last_k", last_k=1) for _ in range(2))
    kept.cache_hidden_states(tmp_path)
    size = [HiddenStateCache.size(kept.model, kept.examples, one) for one in PRECISIONS]
    assert size[0] == 2 * size[1]
    for number in range(1, 7):
        a, b = whole.step(number), kept.step(number)
        assert b.loss == pytest.approx(a.loss, abs=0.01)
    again = toy_state(lab, precision="bfloat16", method="last_k", last_k=1)
    again.cache_hidden_states(tmp_path)
    one = toy_state(lab, precision="bfloat16", method="last_k", last_k=1)
    one.cache_hidden_states(tmp_path)
    assert again.step(1).loss == one.step(1).loss


def test_a_saved_model_has_the_base_s_frozen_weights(lab: Settings, tmp_path: Path) -> None:
    state = toy_state(lab, precision="bfloat16", method="last_k", last_k=1)
    state.step(1)
    folder = save(state.model, toy(lab), tmp_path, "last_k")
    saved, base = load_file(folder / "model.safetensors"), dict(toy(lab).model.named_parameters())
    for name, value in saved.items():
        assert value.dtype == torch.float32
        assert torch.equal(value, base[name]) == (not name.startswith(("model.layers.1.", "model.norm.")))


def test_a_run_is_resumed_as_it_began_and_never_measured_anew(
    lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = replace(lab, reports=tmp_path / "reports")
    began = ResolvedPrecision("bfloat16", "faster", 3.5)
    monkeypatch.setattr(precision, "_on_cpu", lambda *_: began)
    whole = train(config(epochs=1.0), store, run_id="whole")
    flag = StopFlag()
    parts = train(
        config(epochs=1.0), store, run_id="parts", stop=flag, on_step=lambda n, *_: flag.request() if n == 3 else None
    )  # fmt: skip
    assert parts.record.precision == "bfloat16"
    assert "in bfloat16 (measured 3.5 times as fast as float32)" in (parts.folder / "train.log").read_text()
    monkeypatch.setattr(precision, "_on_cpu", lambda *_: pytest.fail("measured anew"))
    resumed = resume(parts, store)
    name = "adapter/adapter_model.safetensors"
    assert (resumed.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert all(one.same for one in replay(resumed, store, 3))
