"""A fine-tune of the toy: what it leaves on disk when it ends well, badly, or early."""

import json
import logging
import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from medqa_core.data import starter
from medqa_core.data.split import grouped_split
from medqa_core.evaluation.loss import answer_losses, mean_loss
from medqa_core.foundation.files import read_json, sha256
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import encode_example
from medqa_core.models.variants import VARIANTS, load_variants
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.record import RunRecord
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training.loop import TrainingLoop
from medqa_core.training.recorder import LossNotFinite
from medqa_core.training.train import train
from medqa_core.training.trainer_state import TrainerState

pytestmark = pytest.mark.usefixtures("no_network")
SHORT = {"epochs": 0.5, "eval_steps": 2}  # three steps


@pytest.fixture
def store(lab: Settings, tmp_path: Path) -> Settings:
    """The lab's models with an empty run store."""
    return replace(lab, reports=tmp_path / "reports")


def validation_loss(run: Run, settings: Settings, variant: str = "fine_tuned") -> float:
    """Mean loss a token on the run's validation questions, from what is on disk."""
    config = run.record.config
    assert config is not None
    sizes = (config.train_size, config.validation_size, config.test_size)
    questions = grouped_split(starter.load().pairs, sizes, config.split_seed).validation
    variants = load_variants(run, settings)
    examples = [
        encode_example(variants.tokenizer, q.question, q.answer, variants.prompt, config.max_tokens, end=False)
        for q in questions
    ]
    with variants.using(variant) as model:  # type: ignore[arg-type]
        return mean_loss(answer_losses(model, examples))


def rows(run: Run) -> list[dict[str, Any]]:
    """metrics.jsonl without the times."""
    found = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "time"} for row in found]


def test_run_json_says_what_was_done(smoke: Run, lab: Settings) -> None:
    record = RunStore(lab.reports).open("smoke").record
    assert record == RunRecord.model_validate(read_json(smoke.folder / "run.json"))
    assert record.config == from_preset("smoke")
    assert (record.kind, record.number, record.prompt) == ("finetune", 1, "chat")
    assert record.created_at.tzinfo is not None
    assert record.base_model is not None
    assert record.base_model.id == "toy"
    assert record.base_model.sha256 == sha256(lab.cache / "models" / "toy" / "model.safetensors")
    assert record.data is not None
    assert record.data.split is not None
    assert record.data.split.model_dump() == {"train": 48, "validation": 12, "test": 12}
    assert record.data.split_hash == grouped_split(starter.load().pairs, (48, 12, 12), 42).hash
    assert record.data.pairs_parsed == len(starter.load().pairs)
    assert record.environment.torch == torch.__version__


def test_status_json_says_it_is_done(smoke: Run) -> None:
    status = smoke.status()
    assert status is not None
    assert smoke.snapshot().problems == ()
    assert smoke.state() == "completed"
    assert (status.step, status.total_steps, status.epoch) == (12, 12, 2.0)
    assert status.started_at is not None
    assert status.finished_at is not None
    assert (status.next_heartbeat, status.error, status.stage) == (None, None, None)
    assert status.train_seconds is not None
    assert 0 < status.train_seconds < 600


def test_every_logged_step_is_in_the_series_once(smoke: Run) -> None:
    metrics_log = smoke.metrics_log()
    assert len(rows(smoke)) == len(metrics_log.train) + len(metrics_log.validation)
    assert metrics_log.problems == ()
    assert metrics_log.train["step"].tolist() == list(range(1, 13))
    assert metrics_log.validation["step"].tolist() == [0, 4, 8, 12]
    assert all(math.isfinite(norm) and norm > 0 for norm in metrics_log.train["grad_norm"])
    for curve in (metrics_log.train, metrics_log.validation):
        assert curve.non_finite_steps == ()
        for name in ("loss", "epoch", "tokens", "examples", "time"):
            assert all(math.isfinite(value) for value in curve[name])
    assert metrics_log.train["tokens"][-1] > metrics_log.train["tokens"][0] > 0
    assert metrics_log.train["examples"].tolist() == [8 * step for step in range(1, 13)]


def test_losses_fall(smoke: Run) -> None:
    metrics_log = smoke.metrics_log()
    assert metrics_log.validation["loss"][-1] < metrics_log.validation["loss"][0] - 0.05
    assert metrics_log.train["loss"][-3:].mean() < metrics_log.train["loss"][:3].mean() - 0.05


def test_a_completed_run_keeps_no_checkpoint(smoke: Run) -> None:
    assert not (smoke.folder / "checkpoints").exists()


def test_the_adapter_loads_and_is_not_the_base(smoke: Run, lab: Settings) -> None:
    config = read_json(smoke.folder / "adapter" / "adapter_config.json")
    assert (config["peft_type"], config["r"], config["base_model_name_or_path"]) == ("LORA", 4, "toy")
    assert {path.name for path in (smoke.folder / "adapter").iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors",
    }  # fmt: skip
    tuned, base = (validation_loss(smoke, lab, variant) for variant in reversed(VARIANTS))
    assert base == pytest.approx(smoke.metrics_log().validation["loss"][0], abs=1e-5)
    assert tuned < base - 0.05


def test_the_validation_loss_of_the_best_step_is_the_saved_adapters(smoke: Run, lab: Settings) -> None:
    status = smoke.status()
    assert status is not None
    assert status.best is not None
    assert status.best.validation_loss == smoke.metrics_log().validation["loss"].min()
    assert validation_loss(smoke, lab) == pytest.approx(status.best.validation_loss, abs=1e-5)


def spoiled(monkeypatch: pytest.MonkeyPatch, losses: dict[int, float]) -> None:
    """Let the validations at these steps come out as given."""
    validation_loss = TrainingLoop._validation_loss

    def other(self: TrainingLoop) -> float:
        return losses.get(self._state.counters.step, validation_loss(self))

    monkeypatch.setattr(TrainingLoop, "_validation_loss", other)


def test_the_best_step_is_kept_when_later_ones_are_worse(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    spoiled(monkeypatch, {8: 99.0, 12: math.nan})
    run = train(from_preset("smoke"), store)
    status, losses = run.status(), run.metrics_log().validation["loss"]
    assert status is not None
    assert status.best is not None
    assert status.best.step == 4
    assert validation_loss(run, store) == pytest.approx(losses[1], abs=1e-5)


def test_it_ends_early_when_the_validation_loss_does_not_fall(store: Settings) -> None:
    config = from_preset("smoke", {"learning_rate": 1e-12, "schedule": "constant", "eval_steps": 1, "patience": 3})
    run = train(config, store)
    status, losses = run.status(), run.metrics_log().validation["loss"]
    assert status is not None
    assert status.best is not None
    assert status.state == "completed"
    assert status.step < 12
    assert status.step == status.best.step + 3
    assert all(losses[status.best.step + 1 :] >= status.best.validation_loss)
    assert "did not fall 3 times in a row" in run.log_tail()


def test_the_same_configuration_gives_the_same_run(smoke: Run, store: Settings) -> None:
    torch.manual_seed(999)  # whatever happened before
    said: list[str] = []
    again = train(from_preset("smoke"), store, progress=said.append)
    assert again.id == "smoke"
    assert rows(again) == rows(smoke)
    ours, theirs = (load_file(run.folder / "adapter" / "adapter_model.safetensors") for run in (again, smoke))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert said[-1] == "run smoke"


def test_another_seed_gives_another_run_of_its_own(smoke: Run, store: Settings) -> None:
    first = train(from_preset("smoke", SHORT), store)
    second = train(from_preset("smoke", {**SHORT, "seed": 7}), store)
    assert (first.id, second.id) == ("smoke", "smoke-2")
    assert (first.record.number, second.record.number) == (1, 2)
    assert rows(first) != rows(second)
    assert first.record.data == second.record.data == smoke.record.data


@pytest.mark.parametrize(("every", "steps"), [(2, [0, 2, 3]), (3, [0, 3]), (100, [0, 3])])
def test_the_last_step_is_validated_once_wherever_it_falls(store: Settings, every: int, steps: list[int]) -> None:
    run = train(from_preset("smoke", {**SHORT, "eval_steps": every}), store)
    assert [row["step"] for row in rows(run) if row["split"] == "validation"] == steps


def test_dropout_is_off_while_validating(store: Settings) -> None:
    run = train(from_preset("smoke", {"epochs": 1, "lora_dropout": 0.3, "learning_rate": 0.01}), store)
    assert validation_loss(run, store) == pytest.approx(run.metrics_log().validation["loss"].min(), abs=1e-5)
    assert run.metrics_log().validation["loss"].argmin() > 0


@pytest.mark.parametrize("method", ["full", "last_k"])
def test_a_whole_model(store: Settings, lab: Settings, capfd: pytest.CaptureFixture[str], method: str) -> None:
    before = sha256(lab.cache / "models" / "toy" / "model.safetensors")
    run = train(from_preset("smoke", {"eval_steps": 3, "method": method, "last_k": 1, "learning_rate": 1e-3}), store)
    assert capfd.readouterr().err == ""
    assert run.adapter_folder() is None
    whole = run.model_folder()
    assert whole is not None
    assert sha256(lab.cache / "models" / "toy" / "model.safetensors") == before
    variants = load_variants(run, store)
    assert not variants.shares_weights
    assert variants.adapter_sha256 == sha256(whole / "model.safetensors") != before
    status = run.status()
    assert status is not None
    assert status.best is not None
    assert validation_loss(run, store) == pytest.approx(status.best.validation_loss, abs=1e-5)
    assert validation_loss(run, store, "base") == pytest.approx(run.metrics_log().validation["loss"][0], abs=1e-5)


def broken(monkeypatch: pytest.MonkeyPatch, at: int, error: BaseException | None) -> None:
    """Raise `error` in place of step `at`; without one, let its loss be NaN."""
    step = TrainerState.step

    def other(self: TrainerState, number: int) -> Any:
        if number != at:
            return step(self, number)
        if error is not None:
            raise error
        return replace(step(self, number), loss=math.nan, grad_norm=math.nan)

    monkeypatch.setattr(TrainerState, "step", other)


def test_a_loss_that_is_not_a_number_ends_the_run_and_is_shown(
    store: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch, 6, None)
    with pytest.raises(LossNotFinite, match=r"^The training loss was nan at step 6, "):
        train(from_preset("smoke"), store)
    run = RunStore(store.reports).open("smoke")
    status = run.status()
    assert status is not None
    assert (status.state, status.cause, status.step) == ("failed", "nan", 6)
    assert status.error is not None
    assert status.error.endswith("Most often the learning rate is too high: try a third of it.")
    assert status.finished_at is not None
    assert rows(run)[-1]["non_finite"] == ["grad_norm", "loss"]
    assert run.metrics_log().train.non_finite_steps == (6,)
    assert status.best is not None
    assert validation_loss(run, store) == pytest.approx(status.best.validation_loss, abs=1e-5)
    assert "ERROR The training loss was nan at step 6," in run.log_tail()


def test_ctrl_c_stops_and_keeps_what_there_is(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, 7, KeyboardInterrupt())
    run = train(from_preset("smoke"), store)
    status = run.status()
    assert status is not None
    assert (status.state, status.step, status.error) == ("stopped", 6, None)
    assert status.finished_at is not None
    assert status.best is not None
    assert status.best.step == 4
    assert validation_loss(run, store) == pytest.approx(status.best.validation_loss, abs=1e-5)
    assert run.metrics_log().train["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert "stopped at step 6 of 12" in run.log_tail()
    assert [path.name for path in run.folder.iterdir() if path.name.startswith(".")] == []


def test_ctrl_c_before_the_first_step_stops_too(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, 1, KeyboardInterrupt())
    run = train(from_preset("smoke"), store)
    assert run.state() == "stopped"


def test_a_failure_is_in_the_status_in_plain_words(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, 1, OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        train(from_preset("smoke", SHORT), store)
    run = RunStore(store.reports).open("smoke")
    status = run.status()
    assert status is not None
    assert (status.state, status.cause) == ("failed", "disk")
    assert status.error is not None
    assert status.error.startswith("The disk is full. Free some space, then resume the run")
    assert run.adapter_folder() is not None  # of step 0
    assert "Traceback" in run.log_tail()


@pytest.mark.usefixtures("smoke")
def test_nothing_of_it_stays_behind_in_the_process(store: Settings) -> None:
    handlers = list(logging.getLogger().handlers)
    train(from_preset("smoke", SHORT), store)
    assert logging.getLogger().handlers == handlers
    assert [thread.name for thread in threading.enumerate() if thread.name == "heartbeat"] == []
