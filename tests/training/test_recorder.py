"""Steps become rows; the lowest validation loss is what is kept."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from medqa_core.foundation.settings import Settings
from medqa_core.runs.metrics_log.log import read_metrics_log
from medqa_core.runs.run import Run
from medqa_core.runs.status_writer import StatusWriter
from medqa_core.training import checkpoint
from medqa_core.training.recorder import LossNotFinite, Recorder
from medqa_core.training.trainer_state import StepResult
from tests.training.toy_state import toy_state


class Bench:
    """A recorder on an empty run folder."""

    def __init__(self, lab: Settings, folder: Path, **changes: Any) -> None:
        self.folder = folder
        self.kept: list[int] = []
        self.state = toy_state(lab, **changes)
        self.state.start_clock()
        self.status = StatusWriter(folder)
        run = Run(folder, None)  # type: ignore[arg-type]
        self.recorder = Recorder(run, self.state, self.status, self._keep)

    def _keep(self) -> None:
        self.kept.append(self.state.counters.step)

    def step(self, number: int, loss: float = 2.5, norm: float = 0.5) -> None:
        result = StepResult(number, loss, 1e-3, norm, 100, 0.1)
        self.state.count_step(result)
        self.recorder.step(result)

    def validation(self, loss: float) -> None:
        self.recorder.validation(loss, 0.1, lowest=self.state.count_validation(loss))

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]


def test_a_training_row(lab: Settings, tmp_path: Path) -> None:
    bench = Bench(lab, tmp_path)
    bench.step(1)
    (row,) = bench.rows()
    assert row.pop("time") >= 0
    assert row == {
        "split": "train", "step": 1, "epoch": 0.175, "attempt": 1, "tokens": 100, "examples": 7,
        "loss": 2.5, "learning_rate": 1e-3, "grad_norm": 0.5,
    }  # fmt: skip
    status = bench.status.status
    assert (status.step, status.tokens, status.tokens_per_second) == (1, 100, 1000.0)
    assert status.remaining_seconds is not None
    assert status.memory is not None
    assert 0 < status.memory.used <= status.memory.peak


def test_rows_as_often_as_configured_and_at_both_ends(lab: Settings, tmp_path: Path) -> None:
    bench = Bench(lab, tmp_path, logging_steps=5, epochs=2.0)
    for number in range(1, bench.state.schedule.total_steps + 1):
        bench.step(number)
    assert [row["step"] for row in bench.rows()] == [1, 5, 10, 12]


def test_the_lowest_validation_loss_is_kept(lab: Settings, tmp_path: Path) -> None:
    bench = Bench(lab, tmp_path)
    bad = []
    for number, loss in enumerate([3.0, 2.0, 2.5, math.nan, 2.0, 1.9, math.inf], 1):
        bench.step(number)
        bench.validation(loss)
        bad.append(bench.state.counters.bad_validations)
    assert bench.kept == [1, 2, 6]
    best = bench.state.counters.best
    assert best is not None
    assert (best.step, best.validation_loss) == (6, 1.9)
    assert bench.status.status.best == best
    assert bad == [0, 0, 1, 2, 3, 0, 1]
    assert read_metrics_log(tmp_path).validation.non_finite_steps == (4, 7)


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, math.nan), (math.inf, 1.0), (2.0, math.inf)])
def test_what_is_not_finite_is_on_disk_before_it_ends_the_run(
    lab: Settings, tmp_path: Path, loss: float, norm: float
) -> None:
    bench = Bench(lab, tmp_path, logging_steps=100)
    bench.step(1)
    with pytest.raises(LossNotFinite, match=r"at step 2, so that step was not taken\. Most often the learning rate"):
        bench.step(2, loss, norm)
    row = bench.rows()[-1]
    for name, value in (("loss", loss), ("grad_norm", norm)):
        assert (row[name] is None) == (name in row["non_finite"]) == (not math.isfinite(value))


def test_checkpoints_come_by_the_clock(lab: Settings, tmp_path: Path) -> None:
    seldom = Bench(lab, tmp_path / "seldom", checkpoint_minutes=60)
    seldom.step(1)
    seldom.recorder.checkpoint_if_due()
    assert checkpoint.newest(tmp_path / "seldom") is None
    often = Bench(lab, tmp_path / "often", checkpoint_minutes=0)
    for number in range(1, 5):
        often.step(number)
        often.recorder.checkpoint_if_due()
    assert [p.name for p in sorted((tmp_path / "often" / "checkpoints").iterdir())] == [
        "step-00000003",
        "step-00000004",
    ]
    found = checkpoint.newest(tmp_path / "often")
    assert found is not None
    assert found.counters.seconds >= often.state.counters.seconds
    seconds = {"seconds": 0.0}
    assert found.counters.model_copy(update=seconds) == often.state.counters.model_copy(update=seconds)
