"""A fine-tune on the device gives what one on the CPU gives, within what its precision allows."""

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState

from medqa_core.answering.engine import decoder_for
from medqa_core.answering.generate import answers
from medqa_core.evaluation.evaluate import evaluate
from medqa_core.evaluation.verify import verify
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import encode_prompt
from medqa_core.models.variants import VARIANTS, load_variants
from medqa_core.report import writer
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.training import checkpoint
from medqa_core.training.batching import Layout
from medqa_core.training.callbacks import Callbacks
from medqa_core.training.checkpoint import Counters
from medqa_core.training.inputs import load_inputs
from medqa_core.training.stop import StopFlag
from medqa_core.training.train import _state_of, resume, train
from medqa_core.training.trainer_state import TrainerState

DRY = os.environ.get("MEDQA_GPU_CHECK") == "dry"
"""The CPU stands in for the device: whether the checks themselves work."""
pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not (DRY or torch.cuda.is_available()), reason="no CUDA device"),
    pytest.mark.usefixtures("fresh"),
]
DEVICE = "cpu" if DRY else "cuda"
METHODS = {"lora": {}, "full": {"method": "full", "learning_rate": 1e-3}, "last_k": {"method": "last_k", "last_k": 1}}
STEPS = 6


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Accelerate keeps the device and precision of the first training in a process; each test has its own."""
    AcceleratorState._reset_state(reset_partial_state=True)
    if DRY:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def state_on(device: str, lab: Settings, monkeypatch: pytest.MonkeyPatch, **changes: object) -> TrainerState:
    """The toy about to train on a device, as `train` sets it up."""
    AcceleratorState._reset_state(reset_partial_state=True)
    with monkeypatch.context() as patch:
        if device == "cpu":
            patch.setattr(torch.cuda, "is_available", lambda: False)
        config = from_preset("smoke", {"schedule": "constant", "warmup_steps": 0, **changes})
        inputs = load_inputs(config, lab, lambda _: None)
        return _state_of(Run(lab.reports / "none", None), inputs, StopFlag(), Callbacks())  # type: ignore[arg-type]


def losses(state: TrainerState, steps: int = STEPS, first: int = 1) -> list[float]:
    return [state.step(number).loss for number in range(first, first + steps)]


@pytest.mark.parametrize("method", METHODS)
def test_precision(lab: Settings, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    reference = losses(state_on("cpu", lab, monkeypatch, precision="float32", **METHODS[method]))
    exact = losses(state_on(DEVICE, lab, monkeypatch, precision="float32", **METHODS[method]))
    assert exact == pytest.approx(reference, abs=2e-3)
    state = state_on(DEVICE, lab, monkeypatch, precision="bfloat16", **METHODS[method])
    trained = {p.dtype for p in state.model.parameters() if p.requires_grad}
    frozen = {p.dtype for p in state.model.parameters() if not p.requires_grad and p.ndim > 1}
    assert trained == {torch.float32}
    assert frozen <= {torch.bfloat16} or method == "last_k"
    assert losses(state) == pytest.approx(reference, abs=0.05)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_packed_is_padded(lab: Settings, monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    found = {}
    layouts: tuple[Layout, Layout] = ("packed", "padded")
    for layout in layouts:
        state = state_on(DEVICE, lab, monkeypatch, precision=precision, max_tokens_per_forward=512)
        state.layout = layout
        found[layout] = losses(state)
    assert found["packed"] == pytest.approx(found["padded"], abs=1e-3 if precision == "float32" else 0.02)


def test_layers_computed_again(lab: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, again = (
        losses(state_on(DEVICE, lab, monkeypatch, lora_dropout=0.1, gradient_checkpointing=on)) for on in (False, True)
    )
    assert again == pytest.approx(kept, abs=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_restored_it_goes_on(lab: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, method: str) -> None:
    changes = {**METHODS[method], "lora_dropout": 0.1}
    state = state_on(DEVICE, lab, monkeypatch, **changes)
    losses(state, 3)
    checkpoint.write(tmp_path, Counters(step=3), *state.tensors())
    expected = losses(state, 3, first=4)
    again = state_on(DEVICE, lab, monkeypatch, **changes)
    found = checkpoint.newest(tmp_path)
    assert found is not None
    again.restore(found)
    assert losses(again, 3, first=4) == pytest.approx(expected, abs=1e-4)


def test_a_run_from_end_to_end(lab: Settings, tmp_path: Path) -> None:
    """Stopped, resumed, evaluated and verified; both models answer on the device as they do on the CPU."""
    settings = replace(lab, reports=tmp_path)
    flag = StopFlag()
    config = from_preset("smoke")
    run = train(config, settings, stop=flag, on_step=lambda done, *_: flag.request() if done == 5 else None)
    assert run.state() == "stopped"
    run = resume(run, settings)
    assert run.state() == "completed"
    assert run.record.environment.device == DEVICE
    evaluate(run, settings)
    writer.write(run)
    failed = [(check.name, check.detail) for check in verify(run, settings) if check.passed is False]
    assert not failed
    variants = load_variants(run, settings)
    prompts = [encode_prompt(variants.tokenizer, q, variants.prompt) for q in ("What is asthma?", "Who gets anemia?")]
    decoder, end = decoder_for(variants, settings), variants.tokenizer.eos_token_id
    for variant in VARIANTS:
        (batch,) = answers(decoder, variant, prompts, 12, end)
        assert sorted(batch) == [0, 1]
        assert all(0 < len(answer) <= 12 for answer in batch.values())


@pytest.mark.skipif(
    DRY or importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed, or no CUDA device"
)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("bits", ["8bit", "4bit"])
def test_quantised(lab: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bits: str) -> None:
    reference = losses(state_on(DEVICE, lab, monkeypatch))
    assert losses(state_on(DEVICE, lab, monkeypatch, quantization=bits)) == pytest.approx(reference, abs=0.05)
    AcceleratorState._reset_state(reset_partial_state=True)
    run = train(from_preset("smoke", {"quantization": bits}), replace(lab, reports=tmp_path))
    assert run.state() == "completed"
    evaluate(run, replace(lab, reports=tmp_path))
