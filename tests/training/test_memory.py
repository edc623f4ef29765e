"""The memory of a training, computed before anything is loaded."""

from pathlib import Path
from typing import Any

import pytest
import torch

from medqa_core.evaluation.loss import TOKEN_BUDGET
from medqa_core.foundation.errors import ModelError
from medqa_core.foundation.settings import Settings
from medqa_core.models.locate import locate
from medqa_core.runs.schema.config import TrainConfig, validated
from medqa_core.runs.schema.estimate import ComputedMemory
from medqa_core.runs.schema.record import TrainingPrecision
from medqa_core.training import memory as module
from medqa_core.training.batching import pack_batches
from medqa_core.training.loss import answer_loss
from medqa_core.training.memory import largest_batch, require_training_memory
from medqa_core.training.trainer_state import TrainerState, accelerator_for
from tests.support.tiny_models import KINDS, random_examples, tiny

METHODS: dict[str, dict[str, Any]] = {
    "full": {"method": "full"},
    "lora": {},
    "last_k": {"method": "last_k", "last_k": 1},
}
CASES: list[tuple[str, str, TrainingPrecision]] = [
    *((kind, method, "float32") for kind in KINDS for method in ("full", "lora")),
    *(("llama", method, "bfloat16") for method in METHODS),
    ("gpt2", "lora", "bfloat16"),
    ("gpt2", "last_k", "float32"),
]


def values(**changes: Any) -> TrainConfig:
    return validated({"max_tokens": 64, "batch_size": 4, "lora_rank": 4, **changes})


def computed_memory(*arguments: Any, **named: Any) -> ComputedMemory:
    found = module.computed_memory(*arguments, **named)
    assert found is not None
    return found


@pytest.fixture
def steps_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A validation of such tiny models takes more than a step."""
    monkeypatch.setattr(module, "_of_validation", lambda *_: 0)


@pytest.mark.usefixtures("steps_alone")
@pytest.mark.parametrize(("kind", "method", "precision"), CASES)
def test_it_is_what_autograd_keeps_of_a_real_step(kind: str, method: str, precision: TrainingPrecision) -> None:
    """Counted on fake tensors and on real ones: the same to the byte."""
    config = values(**METHODS[method], gradient_accumulation_steps=1, batch_size=3)
    state = TrainerState(config, tiny(kind), random_examples(), accelerator_for("cpu"), precision=precision)
    (batch,) = pack_batches(state.examples, [0, 1, 2], 128, "packed")
    parts = [*state.model.parameters(), *state.model.buffers()]
    known = {part.untyped_storage().data_ptr() for part in parts}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        answer_loss(state.model, batch, 1.0, "cpu")
    computed = computed_memory(KINDS[kind], config, batch, device="cpu", precision=precision)
    trained = [p for p in state.model.parameters() if p.requires_grad]
    largest = max(4 * p.numel() for p in trained)
    really = sum(storage.nbytes() for storage in kept.values())
    assert computed.activations - largest == pytest.approx(really, rel=0.02)
    assert computed.weights == sum(p.nbytes for p in state.model.parameters())
    assert computed.gradients == sum(p.numel() * 4 for p in trained)
    assert computed.moments == 2 * computed.gradients


def test_a_validation_counts_where_it_takes_more() -> None:
    config = values(batch_size=1, gradient_accumulation_steps=1, max_tokens=16)
    found = computed_memory(KINDS["llama"], config, largest_batch(config, "cpu"), device="cpu")
    assert found.activations == 4 * 97 * (TOKEN_BUDGET + 2 * 16)


@pytest.mark.usefixtures("steps_alone")
def test_what_takes_less() -> None:
    config = values(method="full")
    batch = largest_batch(config, "cpu")
    assert batch.input_ids.numel() == 16 * 64
    whole = computed_memory(KINDS["llama"], config, batch, device="cpu")
    again = computed_memory(KINDS["llama"], values(method="full", gradient_checkpointing=True), batch, device="cpu")
    assert (again.state, again.activations < 0.75 * whole.activations) == (whole.state, True)
    sharded = computed_memory(KINDS["llama"], config, batch, device="cuda", processes=4)
    assert sharded.state == whole.state // 4
    bits = {
        name: computed_memory(
            KINDS["llama"], values(quantization=name), batch, device="cuda", precision="bfloat16"
        ).weights
        for name in ("none", "8bit", "4bit")
    }
    assert bits["4bit"] < bits["8bit"] < bits["none"] < whole.weights


def asked(lab: Settings, monkeypatch: pytest.MonkeyPatch, free: int, device: str = "cpu", **changes: Any) -> list[str]:
    """What is said where so many bytes are free."""
    monkeypatch.setattr(module, "free_memory", lambda _: free)
    said: list[str] = []
    require_training_memory(
        locate("toy", settings=lab), values(**changes),
        device=device, precision="float32", progress=said.append,
    )  # fmt: skip
    return said


def test_what_cannot_fit_is_refused_before_it_is_loaded(lab: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError) as caught:
        asked(lab, monkeypatch, 1_000_000, method="full")
    assert str(caught.value).startswith("toy needs about ")
    assert str(caught.value).endswith(
        " MB to be trained with method full, and 1 MB are free: train with method lora, or choose a smaller model."
    )
    with pytest.raises(ModelError, match=r"are free: set quantization=4bit, shard it over several GPUs \(accelerate"):
        asked(lab, monkeypatch, 1000, device="cuda")
    with pytest.raises(ModelError, match=r"are free: choose a smaller model\.$"):
        asked(lab, monkeypatch, 1000)


def test_what_may_not_fit_is_said(lab: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (close,) = asked(lab, monkeypatch, 2_500_000, method="full")
    assert close.startswith("toy may need about ")
    assert close.endswith("set gradient_checkpointing=true or lower max_tokens_per_forward")
    (enough,) = asked(lab, monkeypatch, 11_500_000, batch_size=1, gradient_accumulation_steps=1)
    assert enough.startswith("toy needs about ")
    assert asked(lab, monkeypatch, 10**9, method="full") == []


def test_a_damaged_file_is_said_here_too(lab: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    located = locate("toy", settings=lab)
    for path in located.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes() if path.suffix != ".safetensors" else b"torn")
    monkeypatch.setattr(module, "free_memory", lambda _: 1)
    broken = locate(str(tmp_path), settings=lab)
    with pytest.raises(ModelError, match="its weights are damaged"):
        require_training_memory(broken, values(), device="cpu", precision="float32", progress=lambda _: None)


def test_a_model_that_cannot_be_counted_is_trained_all_the_same(
    lab: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> int:
        raise RuntimeError("aten._local_scalar_dense.default")  # a mixture of experts routes by its data

    monkeypatch.setattr(module, "_activations", fail)
    assert asked(lab, monkeypatch, 1000) == []
    assert "the memory of a llama model cannot be computed" in caplog.text
