"""What a training leaves at its end, and whether its weights differ from the base's."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from medqa_core.evaluation.evaluate import evaluate
from medqa_core.evaluation.verify import verify
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import read_json, sha256, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.models.change import changes_base
from medqa_core.models.variants import load_variants
from medqa_core.runs.artifacts.training_record import differences
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training.examples import validation_examples
from medqa_core.training.train import train

pytestmark = pytest.mark.usefixtures("no_network")
SHORT = {"epochs": 0.5, "eval_steps": 2}  # three steps


@pytest.fixture
def store(lab: Settings, tmp_path: Path) -> Settings:
    return replace(lab, reports=tmp_path / "reports")


@pytest.fixture
def copy(smoke: Run, tmp_path: Path) -> Run:
    shutil.copytree(smoke.folder, tmp_path / "reports" / "smoke")
    return RunStore(tmp_path / "reports").open("smoke")


def base(settings: Settings) -> Path:
    return settings.cache / "models" / "toy"


def rewritten(path: Path, change: Callable[[str, torch.Tensor], torch.Tensor]) -> None:
    save_file({name: change(name, tensor) for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})


def test_the_record_of_a_training(smoke: Run) -> None:
    record, status = smoke.snapshot().training_record, smoke.status()
    assert record is not None and status is not None
    assert (record.written_by, record.changed, record.best) == ("training", True, status.best)
    assert set(record.weights) == {"adapter/adapter_config.json", "adapter/adapter_model.safetensors"}
    assert record.weights["adapter/adapter_config.json"] == sha256(smoke.folder / "adapter" / "adapter_config.json")
    assert record.run_sha256 == sha256(smoke.folder / "run.json")
    assert record.last_row is not None and record.last_row["step"] == 12
    assert smoke.record.data is not None and record.split_hash == smoke.record.data.split_hash
    assert differences(smoke.folder, record) == []
    assert smoke.snapshot().outcome.diverged is None and not smoke.snapshot().outcome.unchanged


def test_a_training_that_falls_apart_keeps_the_base_and_says_both(store: Settings) -> None:
    run = train(
        from_preset("smoke", {"method": "full", "learning_rate": 1.0, "warmup_steps": 0, "eval_steps": 100}), store
    )
    snapshot = run.snapshot()
    assert snapshot.training_record is not None and snapshot.training_record.changed is False
    assert snapshot.outcome.unchanged and snapshot.outcome.best_step == 0
    assert snapshot.outcome.diverged is not None
    checks = {check.name: check for check in verify(run, store)}
    assert checks["base answers"].passed is True
    assert "its training changed nothing, as the run says" in checks["base answers"].detail
    assert {name for name, check in checks.items() if check.passed is False} == set()


def test_an_adapter_adds_nothing_where_b_or_its_scale_is_zero(copy: Run, lab: Settings) -> None:
    path, config = (copy.folder / "adapter" / name for name in ("adapter_model.safetensors", "adapter_config.json"))
    assert changes_base(copy, base(lab)) is True
    write_json(config, read_json(config) | {"lora_alpha": 0})
    assert changes_base(copy, base(lab)) is False
    write_json(config, read_json(config) | {"lora_alpha": 8})
    rewritten(path, lambda name, tensor: tensor * 0 if ".lora_B." in name else tensor)
    assert changes_base(copy, base(lab)) is False
    shutil.rmtree(copy.folder / "adapter")
    assert changes_base(copy, base(lab)) is None


@pytest.mark.parametrize("method", ["last_k", "full"])
def test_a_whole_model_differs_where_one_weight_does(store: Settings, method: str) -> None:
    run = train(from_preset("smoke", {**SHORT, "method": method, "last_k": 1}), store)
    record = run.snapshot().training_record
    assert record is not None and record.changed is True
    assert {"model/model.safetensors", "model/config.json", "model/tokenizer.json"} <= set(record.weights)
    whole = run.folder / "model" / "model.safetensors"
    shutil.copyfile(base(store) / "model.safetensors", whole)
    assert changes_base(run, base(store)) is False
    save_file({"another.name": torch.zeros(1)}, whole, metadata={"format": "pt"})
    assert changes_base(run, base(store)) is None


def test_a_training_behind_passages_is_computed_again_too(store: Settings) -> None:
    reads = {"task": "open_book", "preparation": "answers", "max_tokens": 512, "max_new_tokens": 64}
    run = train(from_preset("smoke", {**SHORT, **reads}), store)
    evaluate(run, store)
    checks = {check.name: check for check in verify(run, store)}
    assert checks["validation loss"].passed is None and "behind passages" in checks["validation loss"].detail
    assert checks["settings"].passed is checks["test losses"].passed is True
    checks = {check.name: check for check in verify(run, store, validated_on=partial(validation_examples, store))}
    assert checks["validation loss"].passed is True, checks["validation loss"].detail
    nowhere = replace(run, record=run.record.model_copy(update={"config": None}))
    with pytest.raises(InputError, match="has no configuration"):
        validation_examples(store, nowhere, load_variants(run, store))
