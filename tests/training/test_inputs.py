"""What is wrong is said before a run folder is made."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from medqa_core.data import sources, starter
from medqa_core.foundation.errors import DataUnavailable, InputError, MedQAError, UnknownName
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.runs.schema.presets import from_preset
from medqa_core.training import inputs as module
from medqa_core.training.inputs import environment
from medqa_core.training.train import train

pytestmark = pytest.mark.usefixtures("no_network")


def refused(lab: Settings, run_id: str | None = None, **changes: Any) -> MedQAError:
    """The error of a fine-tune that must leave nothing behind."""
    before = sorted(path.name for path in lab.reports.iterdir()) if lab.reports.exists() else []
    with pytest.raises(MedQAError) as caught:
        train(from_preset("smoke", changes), lab, run_id=run_id)
    assert (sorted(path.name for path in lab.reports.iterdir()) if lab.reports.exists() else []) == before
    assert "\n" not in str(caught.value)
    return caught.value


def test_more_tokens_than_the_model_reads(lab: Settings) -> None:
    error = refused(lab, max_tokens=1025)
    assert isinstance(error, InputError)
    assert str(error) == "max_tokens: 1025 is more than the 1024 tokens that toy can read."


@pytest.mark.parametrize("bits", ["8bit", "4bit"])
def test_quantised_weights_need_a_gpu(lab: Settings, bits: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "pick_device", lambda: "cpu")
    error = refused(lab, quantization=bits)
    assert isinstance(error, InputError)
    assert str(error) == (
        f"quantization: {bits} weights need a CUDA device, and this machine has none; leave it at none."
    )


def test_quantised_weights_are_for_adapters_that_one_process_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    four = from_preset("smoke", {"quantization": "4bit"})
    by_hand = four.model_copy(update={"method": "full"})  # a run.json that somebody edited
    with pytest.raises(InputError, match="4bit weights cannot be trained, and method full trains them"):
        module._check_quantization(by_hand, "cuda")
    monkeypatch.setattr(module, "require_bitsandbytes", lambda _: None)
    module._check_quantization(four, "cuda")
    monkeypatch.setattr(module, "sharding_asked", lambda: True)
    with pytest.raises(InputError, match="quantised weights are not sharded: launch without --use_fsdp"):
        module._check_quantization(four, "cuda")


def test_answers_longer_than_the_model_reads(lab: Settings) -> None:
    error = refused(lab, max_new_tokens=1024)
    assert isinstance(error, InputError)
    assert str(error).startswith("max_new_tokens: 1024 and the longest test question's ")


def test_a_model_without_a_stated_context_is_taken_at_its_word(lab: Settings) -> None:
    base = load("toy", settings=lab)
    base = replace(base, model=SimpleNamespace(config=SimpleNamespace()))
    module._check_context(from_preset("smoke", {"max_tokens": 8192}), base, starter.load().pairs[:2], "chat")


def test_more_examples_than_there_are(lab: Settings) -> None:
    error = refused(lab, train_size=100_000)
    assert isinstance(error, InputError)
    assert str(error).startswith("train_size: at most ")


def test_a_data_set_that_is_too_small_to_split(lab: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    data = starter.load()
    few = replace(data, pairs=data.pairs[:3])  # one topic
    monkeypatch.setattr(sources, "_starter", lambda: few)
    error = refused(lab, train_size=None, validation_size=None, test_size=None)
    assert isinstance(error, InputError)
    assert str(error).startswith("validation_size: the starter set is too small to split")


def test_a_data_set_out_of_reach(lab: Settings) -> None:
    elsewhere = replace(lab, medquad=lab.cache / "missing.zip")
    assert isinstance(refused(elsewhere, dataset="medquad"), DataUnavailable)


@pytest.mark.parametrize("changes", [{"dataset": "startr"}, {"base_model": "smollm"}])
def test_names_that_are_none(lab: Settings, changes: dict[str, str]) -> None:
    assert isinstance(refused(lab, **changes), UnknownName)


@pytest.mark.usefixtures("smoke")
def test_a_taken_run_id(lab: Settings) -> None:
    error = refused(lab, run_id="smoke")
    assert isinstance(error, InputError)
    assert "'smoke' is taken" in str(error)


def test_a_run_id_that_leaves_the_store(lab: Settings) -> None:
    assert isinstance(refused(lab, run_id="../outside"), InputError)
    assert not (lab.reports.parent / "outside").exists()


def test_the_environment_names_what_it_ran_on() -> None:
    found = environment("cpu", "float32")
    assert found.device == "cpu"
    assert found.torch
    assert found.transformers
    assert set(found.packages) == set(module.PACKAGES)
