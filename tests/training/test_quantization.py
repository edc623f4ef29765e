"""Weights in 8 and 4 bits: what is refused without bitsandbytes, and what it gives where it is installed."""

from importlib.util import find_spec
from typing import Any

import pytest
import torch

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.models import quantization
from medqa_core.models.loader import load
from medqa_core.models.quantization import quantised
from medqa_core.runs.schema.config import Quantization
from medqa_core.training.trainer_state import TrainerState, accelerator_for
from tests.training.toy_state import config, examples

needs_bitsandbytes = pytest.mark.skipif(
    find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed (requirements-gpu.txt)"
)


def test_nothing_is_asked_of_who_does_not_quantise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantization, "find_spec", lambda _: None)
    assert quantised("none", "cpu") == {}


@pytest.mark.parametrize("bits", ["8bit", "4bit"])
def test_without_bitsandbytes_it_is_one_sentence(
    lab: Settings, bits: Quantization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantization, "find_spec", lambda _: None)
    with pytest.raises(
        InputError, match=rf"^quantization: {bits} weights need bitsandbytes, .*requirements-gpu\.txt\.$"
    ):
        load("toy", settings=lab, device="cpu", quantization=bits)


def bytes_of(model: Any) -> int:
    return sum(p.numel() * p.element_size() for p in model.parameters())


@needs_bitsandbytes
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("bits", "kind"), [("8bit", torch.int8), ("4bit", torch.uint8)])
def test_an_adapter_learns_on_quantised_weights(lab: Settings, bits: Quantization, kind: torch.dtype) -> None:
    whole = load("toy", settings=lab, device="cpu")
    base = load("toy", settings=lab, device="cpu", dtype=torch.bfloat16, quantization=bits)
    assert {p.dtype for p in base.model.parameters()} == {kind, torch.bfloat16}
    assert (base.parameters, base.sha256) == (whole.parameters, whole.sha256)  # of the files, however they are kept
    assert bytes_of(base.model) < 0.35 * bytes_of(whole.model)
    few = examples(whole)
    losses = {}
    for name, model in (("whole", whole), (bits, base)):
        state = TrainerState(config(batch_size=8), model, few, accelerator_for("cpu"))
        assert {p.dtype for p in state.model.parameters() if p.requires_grad} == {torch.float32}
        losses[name] = [state.step(number).loss for number in range(1, 9)]
    assert losses[bits] == pytest.approx(losses["whole"], abs=0.02)
    assert losses[bits][-1] < losses[bits][0] - 0.05
