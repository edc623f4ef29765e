"""What a run will cost, from a few of its steps."""

from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.training import estimate as module
from medqa_core.training.estimate import estimate
from medqa_core.training.stop import Interrupted, StopFlag
from medqa_core.training.trainer_state import StepResult, TrainerState

pytestmark = pytest.mark.usefixtures("no_network")


def test_the_plan_in_figures(smoke: Run, lab: Settings, tmp_path: Path) -> None:
    settings = replace(lab, reports=tmp_path / "reports")
    said: list[str] = []
    found = estimate(from_preset("smoke"), settings, said.append)
    status = smoke.status()
    assert status is not None
    assert (found.steps, found.tokens) == (12, status.tokens)
    assert 3 <= found.measured_steps <= 11, "at least three, and more for a second where they are short"
    assert smoke.record.data is not None
    assert found.truncated_share == smoke.record.data.truncated_share
    span = found.train_seconds  # in tenths of a second, which are long for the toy
    assert 0 < span.low <= span.middle <= span.high
    assert 0 < found.memory < found.memory_total
    assert not settings.reports.exists()
    assert said[-4:-1] == [f"measured step {found.measured_steps}", "measuring a validation", "measuring a checkpoint"]
    assert not list(settings.cache.glob("checkpoint-*"))
    computed = found.computed
    assert computed is not None
    assert 0 < computed.gradients < computed.weights < computed.activations < computed.total
    assert computed.total == computed.state + computed.activations + computed.process


def test_a_run_of_one_step_can_be_measured(lab: Settings) -> None:
    assert estimate(from_preset("smoke", {"epochs": 0.01}), lab).steps == 1


def test_the_validation_after_the_last_step_counts(lab: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 12 steps with a validation every 100 there are two: before the first and after the last."""
    monkeypatch.setattr(module, "_validation_seconds", lambda *_: 1000.0)
    found = estimate(from_preset("smoke", {"eval_steps": 100}), lab)
    assert found.train_seconds.middle == pytest.approx(2000, rel=0.05)


def test_frozen_layers_are_measured_as_they_are_trained_on(lab: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their output is read where a training computes it once for all its epochs, and that one time counts."""
    read: list[bool] = []
    step = TrainerState.step

    def watched(state: TrainerState, number: int) -> StepResult:
        read.append(state.hidden_states is not None)
        return step(state, number)

    monkeypatch.setattr(TrainerState, "step", watched)
    last = {"method": "last_k", "last_k": 1}
    estimate(from_preset("smoke", {**last, "epochs": 1.0}), lab)
    assert set(read) == {False}
    read.clear()
    assert estimate(from_preset("smoke", last), lab).measured_steps == len(read) - 1 >= 3
    assert set(read) == {True}
    monkeypatch.setattr(module, "_caching_seconds", lambda *_: 1000.0)
    assert estimate(from_preset("smoke", last), lab).train_seconds.middle == pytest.approx(1000, rel=0.05)


def test_bad_input_and_a_stop(lab: Settings) -> None:
    with pytest.raises(InputError, match="max_tokens"):
        estimate(from_preset("smoke", {"max_tokens": 1025}), lab)
    flag = StopFlag()
    flag.request()
    with pytest.raises(Interrupted):
        estimate(from_preset("smoke"), lab, stop=flag)
