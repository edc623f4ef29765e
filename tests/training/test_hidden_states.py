"""Frozen layers: what is trained above them, and their output computed once."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.training.batching import Layout
from medqa_core.training.freezing import decoder_layers, freeze_all_but_last, last_layers, set_train_mode
from medqa_core.training.hidden_states import HiddenStateCache
from tests.training.toy_state import toy, toy_state


def test_only_the_last_layers_and_the_norm_above_them_are_trained(lab: Settings) -> None:
    model = toy(lab).model
    freeze_all_but_last(model, 1)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {n for n, _ in model.named_parameters() if n.startswith(("model.layers.1.", "model.norm."))}
    set_train_mode(model, 1)
    assert (model.model.layers[0].training, model.model.layers[1].training) == (False, True)


@pytest.mark.parametrize("k", [2, 3])
def test_a_model_with_fewer_layers(lab: Settings, k: int) -> None:
    with pytest.raises(InputError, match=r"^last_k: the model has 2 layers; give fewer, or use method full\.$"):
        freeze_all_but_last(toy(lab).model, k)


def test_an_adapter_in_the_last_layers_alone(lab: Settings) -> None:
    state = toy_state(lab, lora_layers=1)
    trained = {name.split(".layers.")[1][0] for name, p in state.model.named_parameters() if p.requires_grad}
    assert trained == {"1"}
    assert last_layers(toy(lab).model, 2) == [0, 1]
    with pytest.raises(InputError, match=r"^lora_layers: the model has 2 layers; give fewer, or none for all\.$"):
        last_layers(toy(lab).model, 3)


@pytest.mark.parametrize(
    ("method", "layout", "again"),
    [
        ("last_k", "packed", False),
        ("last_k", "padded", False),
        ("last_k", "packed", True),
        ("lora", "packed", False),
        ("lora", "padded", False),
    ],
)
def test_training_on_the_kept_output_is_training_on_the_whole_model(
    lab: Settings, tmp_path: Path, method: str, layout: Layout, again: bool
) -> None:
    """`again`: the trained layers are computed a second time in the backward pass."""
    changes: dict[str, Any] = {"method": method, "last_k": 1, "lora_layers": 1, "batch_size": 7}
    whole = toy_state(lab, **changes)
    kept = toy_state(lab, **changes, gradient_checkpointing=again)
    whole.layout = kept.layout = layout
    done: list[int] = []
    kept.cache_hidden_states(tmp_path / "new", done.append)
    assert sum(done) == 40
    _, found = decoder_layers(kept.model)
    layers = list(found)
    for number in range(1, whole.schedule.total_steps + 1):
        a, b = whole.step(number), kept.step(number)
        assert b.loss == pytest.approx(a.loss, abs=1e-5)
        assert b.grad_norm == pytest.approx(a.grad_norm, rel=1e-4)
    assert list(found) == layers
    for (name, p), q in zip(whole.model.named_parameters(), kept.model.parameters(), strict=True):
        torch.testing.assert_close(p, q, atol=1e-4, rtol=1e-3, msg=name)


def test_the_frozen_layers_are_not_computed_again(lab: Settings, tmp_path: Path) -> None:
    kept = toy_state(lab, method="last_k", last_k=1)
    kept.cache_hidden_states(tmp_path)
    calls: list[int] = []
    kept.model.model.layers[0].register_forward_hook(lambda *_: calls.append(1))
    kept.step(1)
    assert calls == []
    with kept.evaluating() as model:
        model(input_ids=torch.tensor([[1, 2, 3]]))
    assert calls == [1]


def test_the_room_for_all_of_it_is_taken_before_anything_is_computed(
    lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills under the mapping would end the process by a signal."""
    kept = toy_state(lab, method="last_k", last_k=1)
    kept.cache_hidden_states(tmp_path)
    asked: list[tuple[int, int, HiddenStateCache | None]] = []

    def full(_: int, start: int, size: int) -> None:
        asked.append((start, size, kept.hidden_states))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        kept.cache_hidden_states(tmp_path)
    assert asked == [(0, HiddenStateCache.size(kept.model, kept.examples), None)], "the first one's file is gone"
