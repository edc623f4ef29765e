"""Each kind of model is trained as it would be one example at a time: packed, padded, or with layers computed again."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from medqa_core.foundation.errors import InputError
from medqa_core.runs.schema.config import validated
from medqa_core.runs.schema.record import TrainingPrecision
from medqa_core.training.model import trainable
from medqa_core.training.trainer_state import StepResult, TrainerState, accelerator_for
from tests.support.tiny_models import KINDS, random_examples, tiny

STEPS = 2


def trained(kind: str, method: str, *, layout: str = "packed", tokens: int = 64, **changes: Any) -> list[StepResult]:
    state = state_of(kind, method, tokens=tokens, **changes)
    state.layout = layout  # type: ignore[assignment]
    return [state.step(number) for number in range(1, STEPS + 1)]


def state_of(
    kind: str, method: str, *, tokens: int = 64, precision: TrainingPrecision = "float32", **changes: object
) -> TrainerState:
    values = {
        "method": method, "last_k": 1, "batch_size": 6, "gradient_accumulation_steps": 1, "epochs": 3.0,
        "learning_rate": 3e-3, "schedule": "constant", "warmup_steps": 0, "max_tokens_per_forward": tokens, **changes,
    }  # fmt: skip
    return TrainerState(validated(values), tiny(kind), random_examples(), accelerator_for("cpu"), precision=precision)


def losses(steps: list[StepResult]) -> list[tuple[float, float]]:
    return [(step.loss, step.grad_norm) for step in steps]


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("kind", KINDS)
def test_packed_is_padded_is_one_at_a_time(kind: str, method: str) -> None:
    packed = trained(kind, method)
    for other in (trained(kind, method, layout="padded"), trained(kind, method, tokens=16)):
        for ours, theirs in zip(packed, other, strict=True):
            assert ours.loss == pytest.approx(theirs.loss, abs=1e-5)
            assert ours.grad_norm == pytest.approx(theirs.grad_norm, rel=1e-4)
    assert packed[0].loss != packed[1].loss  # other examples, and other weights
    # Layers that are computed again in the backward pass change no bit.
    assert losses(trained(kind, method, gradient_checkpointing=True)) == losses(packed)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_layers_are_computed_again_in_bfloat16_too(method: str) -> None:
    kept, again = (
        losses(trained("llama", method, precision="bfloat16", gradient_checkpointing=on)) for on in (False, True)
    )
    assert kept == again != losses(trained("llama", method))


def test_dropout_is_drawn_again_as_it_was() -> None:
    kept, again = (
        losses(trained("llama", "lora", lora_dropout=0.3, gradient_checkpointing=on)) for on in (False, True)
    )
    assert kept == again != losses(trained("llama", "lora"))


@pytest.fixture
def calls() -> Iterator[list[str]]:
    yield []


@pytest.mark.parametrize(("on", "times"), [(False, 1), (True, 2)])
def test_a_trained_layer_is_computed_again(calls: list[str], on: bool, times: int) -> None:
    state = state_of("llama", "last_k", tokens=128, gradient_checkpointing=on)
    for name, layer in zip(("frozen", "trained"), state.model.model.layers, strict=True):
        layer.mlp.register_forward_pre_hook(lambda *_, name=name: calls.append(name))
    state.step(1)
    assert (calls.count("frozen"), calls.count("trained")) == (1, times)


def test_validation_computes_nothing_again(calls: list[str]) -> None:
    state = state_of("llama", "full", gradient_checkpointing=True)
    state.model.model.layers[0].mlp.register_forward_hook(lambda *_: calls.append("layer"))
    with state.evaluating() as model:
        model(input_ids=torch.tensor([[1, 2, 3]]))
    assert calls == ["layer"]


def test_a_model_that_cannot_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    base = tiny("gpt2")
    monkeypatch.setattr(type(base.model), "supports_gradient_checkpointing", False)
    with pytest.raises(InputError, match=r"^gradient_checkpointing: a gpt2 model cannot compute its layers again; "):
        trainable(base, validated({"gradient_checkpointing": True}))
