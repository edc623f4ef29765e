"""The fused adapter layers: peft's own result, with less work."""

from typing import Any

import pytest
import torch

from medqa_core.foundation.settings import Settings
from medqa_core.training.lora import fuse
from medqa_core.training.model import trainable
from tests.training.toy_state import config, examples, toy


def gradients(model: Any, ids: torch.Tensor) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    loss = model(input_ids=ids, labels=ids, use_cache=False).loss
    loss.backward()
    return float(loss.detach()), {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}


def shaken(model: Any) -> Any:
    """B starts as zeros, which would hide half of it."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.normal_(std=0.1)
    return model.train()


def test_same_loss_and_gradients_as_peft(lab: Settings) -> None:
    base = toy(lab)
    ids = torch.tensor([examples(base, 1)[0].input_ids])
    fused = shaken(trainable(base, config()))
    ours = gradients(fused, ids)
    for layer in fused.modules():
        layer.__dict__.pop("forward", None)
    theirs = gradients(fused, ids)
    assert ours[0] == pytest.approx(theirs[0], abs=1e-5)
    assert ours[1].keys() == theirs[1].keys()
    for name, gradient in theirs[1].items():
        torch.testing.assert_close(ours[1][name], gradient, atol=1e-6, rtol=1e-4)


def test_it_steps_aside_where_the_adapter_is_off_or_drops_out(lab: Settings) -> None:
    base = toy(lab)
    ids = torch.tensor([examples(base, 1)[0].input_ids])
    with torch.no_grad():
        plain = base.model(input_ids=ids).logits.clone()
        model = shaken(trainable(base, config()))
        with model.disable_adapter():
            assert torch.equal(model(input_ids=ids).logits, plain)
        assert not torch.allclose(model(input_ids=ids).logits, plain)
    assert fuse(trainable(toy(lab), config(lora_dropout=0.1))) == 0
