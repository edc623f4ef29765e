"""`report_to`: every logged row reaches the tracker, and no tracker ends a training."""

import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.presets import from_preset
from medqa_core.training import tracking
from medqa_core.training.tracking import PACKAGES, Tracking, require_tracker
from medqa_core.training.train import train

pytestmark = pytest.mark.usefixtures("no_network")


class Noting:
    """A tracker that keeps what it is told, and fails where a test wants it."""

    def __init__(self, fail: Callable[[str], None] = lambda _: None) -> None:
        self.rows: list[tuple[int | None, dict[str, Any]]] = []
        self.config: dict[str, Any] = {}
        self.finished = False
        self.fail = fail

    def start(self) -> None:
        self.fail("start")

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.fail("config")
        self.config = values

    def log(self, values: dict[str, Any], step: int | None = None) -> None:
        self.fail("log")
        self.rows.append((step, values))

    def finish(self) -> None:
        self.fail("finish")
        self.finished = True


def config(**changes: str) -> TrainConfig:
    return from_preset("smoke", {"report_to": "trackio", **changes})


@pytest.fixture
def store(lab: Settings, tmp_path: Path) -> Settings:
    return Settings(reports=tmp_path / "reports", cache=lab.cache, medquad=None, mmlu=None, public=False)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[[Noting], Noting]:
    """Put a tracker in Trackio's place."""

    def use(tracker: Noting) -> Noting:
        monkeypatch.setattr(tracking, "_is_installed", lambda _: True)
        monkeypatch.setattr(tracking, "_tracker", lambda *_: tracker)
        return tracker

    return use


def test_the_tracker_is_told_every_logged_row(store: Settings, told: Callable[[Noting], Noting]) -> None:
    tracker = told(Noting())
    run = train(config(), store)
    log = run.metrics_log()
    losses = {step: row["train/loss"] for step, row in tracker.rows if "train/loss" in row}
    rates = {step: row["train/learning_rate"] for step, row in tracker.rows if "train/loss" in row}
    held = {step: row["eval/loss"] for step, row in tracker.rows if "eval/loss" in row}
    assert losses == dict(zip(log.train["step"].astype(int).tolist(), log.train["loss"].tolist(), strict=True))
    assert rates == dict(zip(log.train["step"].astype(int).tolist(), log.train["learning_rate"].tolist(), strict=True))
    assert held == dict(zip(log.validation["step"].astype(int).tolist(), log.validation["loss"].tolist(), strict=True))
    assert tracker.finished
    assert tracker.config["learning_rate"] == config().learning_rate
    assert all(isinstance(value, bool | int | float | str) for value in tracker.config.values())


@pytest.mark.parametrize("where", ["start", "log", "finish"])
@pytest.mark.parametrize("error", [RuntimeError("no route to host"), SystemExit(1), KeyboardInterrupt()])
def test_a_tracker_that_fails_ends_no_training(
    store: Settings,
    told: Callable[[Noting], Noting],
    caplog: pytest.LogCaptureFixture,
    where: str,
    error: BaseException,
) -> None:
    def fail(at: str) -> None:
        if at == where:
            raise error

    told(Noting(fail))
    with caplog.at_level(logging.WARNING, logger="medqa.train"):
        run = train(config(epochs="0.2"), store)
    assert run.state() == "completed"
    assert any("trackio reports no further" in line for line in caplog.messages)


def test_settings_that_a_tracker_does_not_take_cost_no_rows(told: Callable[[Noting], Noting]) -> None:
    def fail(at: str) -> None:
        if at == "config":
            raise TypeError("no such type")

    tracker = Noting(fail)
    one = Tracking(lambda: tracker, {"a": 1}, "trackio")
    one.log(1, {"train/loss": 2.0})
    one.close()
    assert tracker.rows == [(1, {"train/loss": 2.0})]
    assert tracker.finished


def test_a_tracker_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(tracking, "WAITING", 2)
    monkeypatch.setattr(tracking, "PATIENCE", 0.1)
    free = threading.Event()
    started = threading.Event()

    def hang(at: str) -> None:
        started.set()
        free.wait(20)

    one = Tracking(lambda: Noting(hang), {}, "wandb")
    assert started.wait(20)
    for step in range(50):
        one.log(step, {"train/loss": 1.0})
    with caplog.at_level(logging.WARNING, logger="medqa.train"):
        one.close()
    assert "wandb does not answer" in caplog.text
    free.set()


@pytest.mark.parametrize("name", [name for name in PACKAGES if name != "none"])
def test_what_is_not_installed_is_said_before_anything_is_loaded(
    name: Any, store: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "_is_installed", lambda _: False)
    with pytest.raises(InputError, match=rf"report_to: {PACKAGES[name][0]} is not installed: pip install"):
        train(config(report_to=name), store)
    assert not store.reports.exists() or not list(store.reports.iterdir())
    require_tracker("none")


def test_a_missing_package_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("trackio", "mlflow", "wandb", "tensorboardX", "tensorboard"):
        monkeypatch.setitem(sys.modules, module, None)
    assert not tracking._is_installed("trackio")
    assert not tracking._is_installed("torch.utils.tensorboard.writer")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_what_was_written(store: Settings) -> None:
    from tensorboardX.proto.event_pb2 import Event

    run = train(config(report_to="tensorboard"), store)
    (file,) = (run.folder / "tensorboard").glob("events.out.tfevents.*")
    found: dict[str, dict[int, float]] = {}
    content, at = file.read_bytes(), 0
    while at < len(content):  # each record: its length in 8 bytes, their checksum in 4, itself, its checksum in 4
        length = int.from_bytes(content[at : at + 8], "little")
        event = Event.FromString(content[at + 12 : at + 12 + length])
        at += length + 16
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
    log = run.metrics_log()
    assert found["train/loss"] == pytest.approx(
        dict(zip(log.train["step"].astype(int).tolist(), log.train["loss"].tolist(), strict=True)), rel=1e-6
    )
    assert set(found) >= {"train/loss", "train/learning_rate", "train/grad_norm", "train/epoch", "eval/loss"}
