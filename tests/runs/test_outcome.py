"""What came of a training: said where its files show it, and not where they do not."""

from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from medqa_core.report.wording.outcome import outcome_lines
from medqa_core.runs.artifacts.training_record import TrainingRecord
from medqa_core.runs.metrics_log.log import Curve, MetricsLog, read_metrics_log
from medqa_core.runs.outcome import TrainingOutcome, outcome_of
from medqa_core.runs.schema.status import Best, Status, now


def log(train: list[float], validation: list[float]) -> MetricsLog:
    curves = []
    for losses in (train, validation):
        values = np.array(losses, dtype=np.float64)
        curves.append(Curve(MappingProxyType({"step": np.arange(len(values)), "loss": values}), ()))
    return MetricsLog(curves[0], curves[1], ())


def ended(step: int) -> Status:
    return Status(state="completed", step=30, total_steps=30, best=Best(step=step, validation_loss=2.0))


def record(step: int, changed: bool | None) -> TrainingRecord:
    return TrainingRecord(
        written_at=now(), written_by="training", code_version="0.3.0", run_sha256="a" * 64, weights={},
        best=Best(step=step, validation_loss=2.0), changed=changed,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("train", "validation", "expected"),
    [
        ([6.0, 60.0, 140.0, 150.0], [6.7, 40.0, 137.6], (6.7, 137.6)),
        ([6.0, 60.0, 140.0], [], (6.0, 140.0)),
        ([2.4, 2.0, 1.0, 0.4], [2.3, 2.6, 3.9], None),  # overfitting
        ([2.4, 2.5, 2.6, 2.6], [2.3, 2.4, 2.5], None),  # it learnt nothing, and fell not apart
        ([2.4, 2.0, 1.9], [2.3, 2.0], None),
        ([2.4, np.nan, np.nan], [2.3, np.nan], None),
        ([], [], None),
        ([2.4], [2.3, 9.0], None),
    ],
)
def test_a_training_that_fell_apart(
    train: list[float], validation: list[float], expected: tuple[float, float] | None
) -> None:
    outcome = outcome_of(log(train, validation), ended(30), None)
    assert outcome.diverged == (None if expected is None else pytest.approx(expected))
    assert not outcome.unchanged


@pytest.mark.parametrize(
    ("status", "said", "unchanged", "step"),
    [
        (ended(30), None, False, 30),
        (ended(0), None, True, 0),
        (ended(30), record(30, None), False, 30),
        (ended(30), record(30, True), False, 30),
        (ended(30), record(30, False), True, 30),
        (ended(30), record(0, True), True, 0),
        (None, None, False, None),
        (Status(state="failed"), None, False, None),
    ],
)
def test_a_training_that_changed_nothing(
    status: Status | None, said: TrainingRecord | None, unchanged: bool, step: int | None
) -> None:
    outcome = outcome_of(log([2.0, 1.0], [2.0, 1.9]), status, said)
    assert (outcome.unchanged, outcome.best_step, outcome.diverged) == (unchanged, step, None)


def test_in_words() -> None:
    assert outcome_lines(TrainingOutcome(False, 30, None)) == []
    assert outcome_lines(TrainingOutcome(True, 0, (6.7, 137.6))) == [
        "The training diverged: the loss went from 6.7 to 137.6. Most often the learning rate is too high: try a third "
        "of it.",
        "Unchanged: the fine-tuned model is the base model; no validation was better than the one before the first "
        "step.",
    ]
    [said] = outcome_lines(TrainingOutcome(True, 30, None))
    assert said == "Unchanged: the fine-tuned model is the base model; the weights that were kept add nothing to it."


def test_a_run_without_files_says_nothing(tmp_path: Path) -> None:
    assert outcome_of(read_metrics_log(tmp_path), None, None) == TrainingOutcome(False, None, None)
