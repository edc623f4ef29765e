"""What is refused before the first step: weights that are no numbers, and an adapter that would not come back."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from medqa_core.foundation.errors import ModelError
from medqa_core.foundation.settings import Settings
from medqa_core.models.gate import TOKENS, check_causal, probe
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training import model as module
from medqa_core.training.train import train
from tests.support.foreign_models import toy_folder
from tests.support.tiny_models import tiny

pytestmark = pytest.mark.usefixtures("no_network")
EMBEDDINGS = "model.embed_tokens.weight"


@pytest.fixture
def store(lab: Settings, tmp_path: Path) -> Settings:
    """The lab's models with an empty run store."""
    return replace(lab, reports=tmp_path / "reports")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named_before_anything_is_trained(
    store: Settings, tmp_path: Path, value: float
) -> None:
    shutil.copytree(toy_folder(store), tmp_path / "broken")
    weights = load_file(tmp_path / "broken" / "model.safetensors")
    weights[EMBEDDINGS][4, 7] = value
    save_file(weights, tmp_path / "broken" / "model.safetensors", {"format": "pt"})
    said = rf"broken has weights that are NaN or infinite \({EMBEDDINGS} first\): its training broke down"
    with pytest.raises(ModelError, match=said):
        train(from_preset("smoke", {"base_model": str(tmp_path / "broken")}), store)
    assert RunStore(store.reports).list() == []


def test_a_weight_that_the_gate_s_own_text_does_not_reach_is_found_too() -> None:
    base = tiny("qwen2")  # its embeddings are not tied to the head, so that one token's row changes no other logit
    with torch.no_grad():
        base.model.get_input_embeddings().weight[4, 7] = float("nan")
    assert 4 not in probe(base.model, TOKENS)
    with pytest.raises(ModelError, match=rf"^one has weights that are NaN or infinite \({EMBEDDINGS} first\)"):
        check_causal(base.model, "one")


def test_weights_too_large_to_compute_with_are_told_from_such_that_are_no_numbers() -> None:
    base = tiny("llama")
    with torch.no_grad():
        base.model.get_submodule("model.norm").weight.fill_(3e38)
    with pytest.raises(ModelError, match=r"^big answers with NaN, though its weights are numbers: they are too large"):
        check_causal(base.model, "big")


def by_a_pattern(_: object) -> Callable[..., dict[str, str]]:
    """The modules of an adapter named by a pattern, which is refused where it is loaded."""
    return lambda *_: {"target_modules": r".*\.(q|v)_proj"}


def without_one(load: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Adapters as they are loaded, without one of their tensors."""

    def lost(*arguments: Any, **named: Any) -> dict[str, Any]:
        tensors = load(*arguments, **named)
        tensors.pop(next(iter(tensors)))
        return tensors

    return lost


@pytest.mark.parametrize(
    ("name", "other", "said"),
    [
        ("_adapted", by_a_pattern, r"its adapter, once saved, cannot be loaded: target_modules in"),
        ("load_peft_weights", without_one, r"its adapter cannot be saved and loaded again \(.*\); nothing was trained"),
    ],
    ids=["refused", "incomplete"],
)
def test_an_adapter_that_would_not_come_back_is_refused_before_the_first_step(
    store: Settings, monkeypatch: pytest.MonkeyPatch, name: str, other: Callable[[Any], Any], said: str
) -> None:
    monkeypatch.setattr(module, name, other(getattr(module, name)))
    with pytest.raises(ModelError, match=said):
        train(from_preset("smoke"), store, run_id="lost")
    run = RunStore(store.reports).open("lost")
    status = run.status()
    assert status is not None and (status.state, status.step) == ("failed", 0)
    assert run.adapter_folder() is None and len(run.metrics_log().train) == 0
