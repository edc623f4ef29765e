"""The Trainer's events become rows; the lowest validation loss is what is kept."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medqa_core.runs.series import SeriesWriter, read_series
from medqa_core.runs.worker import StatusWriter
from medqa_core.training.recorder import LossNotFinite, Recorder


class Bench:
    """A recorder on an empty run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: list[int] = []
        self.step = 0
        self.writer = SeriesWriter(folder / "metrics.jsonl")
        self.status = StatusWriter(folder)
        self.recorder = Recorder(self.writer, self.status, 40, lambda: self.kept.append(self.step), 0.0)

    def log(self, step: int, **logs: float) -> None:
        self.step = step
        state: Any = SimpleNamespace(global_step=step, epoch=step / 10, num_input_tokens_seen=step * 100)
        self.recorder.on_log(None, state, None, logs)  # type: ignore[arg-type]

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_training_row(bench: Bench) -> None:
    bench.log(5, loss=2.5, learning_rate=1e-3, grad_norm=0.5, epoch=0.5)
    (row,) = bench.rows()
    assert row.pop("time") >= 0
    assert row == {
        "split": "train", "step": 5, "epoch": 0.5, "attempt": 1, "tokens": 500, "examples": 20,
        "loss": 2.5, "learning_rate": 1e-3, "grad_norm": 0.5,
    }  # fmt: skip


def test_the_lowest_validation_loss_is_kept(bench: Bench) -> None:
    for step, loss in enumerate([3.0, 2.0, 2.5, math.nan, 2.0, 1.9, math.inf]):
        bench.log(step, eval_loss=loss)
    assert bench.kept == [0, 1, 5]
    assert bench.recorder.best is not None
    assert (bench.recorder.best.step, bench.recorder.best.validation_loss) == (5, 1.9)
    assert bench.status.status.best == bench.recorder.best
    validation = read_series(bench.folder).validation
    assert validation.non_finite_steps == (3, 6)
    assert len(validation) == 7


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_on_disk_before_it_ends_the_run(bench: Bench, loss: float) -> None:
    with pytest.raises(LossNotFinite, match=r"at step 7\. Most often the learning rate is too high"):
        bench.log(7, loss=loss, learning_rate=1.0, grad_norm=math.nan)
    (row,) = bench.rows()
    assert row["loss"] is None
    assert row["grad_norm"] is None
    assert row["non_finite"] == ["grad_norm", "loss"]
    assert row["learning_rate"] == 1.0


def test_the_trainers_closing_words_are_no_row(bench: Bench) -> None:
    bench.log(9, train_runtime=3.0, train_loss=2.0)
    assert bench.rows() == []
