"""The two models of a run: the run's own base, its own adapter, and neither in the other's place."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from medqa_core.foundation.errors import ModelError, ModelUnavailable
from medqa_core.foundation.files import sha256, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.variants import VARIANTS, ModelVariants, load_variants
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore

pytestmark = pytest.mark.usefixtures("no_network")
IDS = torch.tensor([[10, 20, 30, 40, 50]])


@pytest.fixture
def copy(smoke: Run, tmp_path: Path) -> Run:
    """The smoke run in a store of its own, to be changed."""
    shutil.copytree(smoke.folder, tmp_path / "reports" / "smoke")
    return RunStore(tmp_path / "reports").open("smoke")


@pytest.fixture(scope="module")
def variants(smoke: Run, lab: Settings) -> ModelVariants:
    return load_variants(smoke, lab)


def edit(path: Path, **changes: object) -> None:
    write_json(path, json.loads(path.read_text()) | changes)


def logits(variants: ModelVariants, variant: str) -> torch.Tensor:
    with torch.inference_mode(), variants.using(variant) as model:  # type: ignore[arg-type]
        found: torch.Tensor = model(input_ids=IDS).logits
    return found


def test_one_set_of_base_weights(variants: ModelVariants, smoke: Run) -> None:
    assert variants.shares_weights
    assert variants.prompt == "chat"
    assert variants.adapter_sha256 == sha256(smoke.folder / "adapter" / "adapter_model.safetensors")
    assert variants.base.sha256 == smoke.record.base_model.sha256  # type: ignore[union-attr]


def test_the_base_computes_what_a_fresh_base_computes_bit_for_bit(variants: ModelVariants, lab: Settings) -> None:
    with torch.inference_mode():
        expected = load("toy", settings=lab).model(input_ids=IDS).logits
    tuned = logits(variants, "fine_tuned")
    assert torch.equal(logits(variants, "base"), expected)
    assert not torch.equal(tuned, expected)
    assert torch.equal(logits(variants, "fine_tuned"), tuned)  # the adapter is on again


def test_the_adapter_is_on_again_after_an_error(variants: ModelVariants) -> None:
    tuned = logits(variants, "fine_tuned")
    with pytest.raises(ZeroDivisionError), variants.using("base"):
        raise ZeroDivisionError
    assert torch.equal(logits(variants, "fine_tuned"), tuned)


def test_training_left_the_base_weights_alone(variants: ModelVariants, smoke: Run, lab: Settings) -> None:
    assert smoke.record.base_model is not None
    assert sha256(lab.cache / "models" / "toy" / "model.safetensors") == smoke.record.base_model.sha256
    fresh = dict(load("toy", settings=lab).model.named_parameters())
    ours = {
        name.replace(".base_layer", ""): value
        for name, value in variants.adapted.get_base_model().named_parameters()
        if "lora_" not in name
    }
    assert ours.keys() == fresh.keys()
    assert all(torch.equal(ours[name], fresh[name]) for name in fresh)


def test_a_run_without_a_model(copy: Run, lab: Settings) -> None:
    shutil.rmtree(copy.folder / "adapter")
    with pytest.raises(ModelUnavailable, match="smoke holds no model: it can be read but not asked"):
        load_variants(copy, lab)


def test_another_base_is_refused(copy: Run, lab: Settings) -> None:
    edit(copy.folder / "run.json", base_model={"id": "toy", "sha256": "ab" * 32})
    other = RunStore(copy.folder.parent).open("smoke")
    with pytest.raises(ModelError, match=r"was trained on a base with SHA-256 abababababab…, but toy here has"):
        load_variants(other, lab)


def one_line(run: Run, lab: Settings) -> str:
    with pytest.raises(ModelError) as caught:
        load_variants(run, lab)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x10", b"\xff" * 64, b"\x08\0\0\0\0\0\0\0{}      "])
def test_damaged_weights(copy: Run, lab: Settings, content: bytes) -> None:
    (copy.folder / "adapter" / "adapter_model.safetensors").write_bytes(content)
    assert one_line(copy, lab).startswith("smoke: its adapter ")


def test_weights_cut_short(copy: Run, lab: Settings) -> None:
    path = copy.folder / "adapter" / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "its adapter cannot be loaded" in one_line(copy, lab)


def test_an_adapter_with_a_part_missing_is_not_taken_for_a_whole_one(copy: Run, lab: Settings) -> None:
    path = copy.folder / "adapter" / "adapter_model.safetensors"
    tensors = load_file(path)
    del tensors[sorted(tensors)[0]]
    save_file(tensors, path)
    assert "its adapter is incomplete" in one_line(copy, lab)


def test_an_adapter_of_another_shape(copy: Run, lab: Settings) -> None:
    edit(copy.folder / "adapter" / "adapter_config.json", r=16)
    assert "its adapter cannot be loaded on this base" in one_line(copy, lab)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"peft_type": "NO_SUCH"}'])
def test_a_damaged_adapter_config(copy: Run, lab: Settings, text: str) -> None:
    (copy.folder / "adapter" / "adapter_config.json").write_text(text)
    assert "its adapter cannot be loaded" in one_line(copy, lab)


def test_a_missing_adapter_config(copy: Run, lab: Settings) -> None:
    (copy.folder / "adapter" / "adapter_config.json").unlink()
    assert "its adapter cannot be loaded" in one_line(copy, lab)


def test_the_prompt_is_the_one_it_was_trained_with(copy: Run, lab: Settings) -> None:
    edit(copy.folder / "run.json", prompt="plain")
    assert load_variants(RunStore(copy.folder.parent).open("smoke"), lab).prompt == "plain"


def test_variants_are_named_once() -> None:
    assert VARIANTS == ("base", "fine_tuned")
