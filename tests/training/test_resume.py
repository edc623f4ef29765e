"""An interrupted run goes on as if nothing had happened: the same losses, learning rates and weights, bit for bit."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from medqa_core.foundation.errors import InputError, ModelError, RunError
from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training import checkpoint
from medqa_core.training.checkpoint import Counters
from medqa_core.training.stop import Interrupted, StopFlag
from medqa_core.training.train import resume, train
from medqa_core.training.trainer_state import TrainerState
from tests.training.toy_state import METHODS, config, toy_state

SPLITS = ("train", "validation")


@pytest.fixture
def store(lab: Settings, tmp_path: Path) -> Settings:
    return replace(lab, reports=tmp_path / "reports")


def curve(run: Run) -> list[dict[str, Any]]:
    """metrics.jsonl without what tells of the clock and of the attempt."""
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k not in ("time", "attempt")} for row in rows]


def stop_at(step: int) -> tuple[StopFlag, Callable[[int, int, float], None]]:
    flag = StopFlag()
    return flag, lambda done, total, loss: flag.request() if done == step else None


@pytest.mark.parametrize(
    ("method", "points"),
    [("lora with dropout", 6), *(pytest.param(method, 20, marks=pytest.mark.real) for method in METHODS)],
)
def test_resumed_at_many_points_it_is_the_uninterrupted_run(
    lab: Settings, tmp_path: Path, method: str, points: int
) -> None:
    """Over several epochs whose last step is smaller, with dropout on in attention and adapter."""
    changes = {**METHODS[method], "epochs": 4.0}
    whole = toy_state(lab, dropout=0.1, **changes)
    total = whole.schedule.total_steps
    assert total == 24
    assert len(whole.examples) % whole.config.effective_batch
    steps, places = [], sorted({round(1 + n * (total - 2) / (points - 1)) for n in range(points)})
    assert len(places) == points
    for number in range(1, total + 1):
        steps.append(whole.step(number))
        if number in places:
            checkpoint.write(tmp_path / str(number), Counters(step=number), *whole.tensors())
    weights = whole.tensors()[0]
    one = toy_state(lab, dropout=0.1, **changes)
    for place in places:
        found = checkpoint.newest(tmp_path / str(place))
        assert found is not None
        assert found.counters.step == place
        one.restore(found)
        # To the end from the first, the middle and the last one; elsewhere for two steps, some over an epoch's end.
        end = total if place in (places[0], places[points // 2], places[-1]) else min(total, place + 2)
        for number in range(place + 1, end + 1):
            again, before = one.step(number), steps[number - 1]
            assert (again.loss, again.grad_norm, again.learning_rate, again.tokens) == (
                before.loss, before.grad_norm, before.learning_rate, before.tokens,
            )  # fmt: skip
        if end == total:
            assert all(torch.equal(p, weights[name]) for name, p in one.tensors()[0].items())


def test_dropout_is_really_on(lab: Settings) -> None:
    assert toy_state(lab, dropout=0.1).step(1).loss != toy_state(lab).step(1).loss


def test_a_step_that_is_broken_off_leaves_no_trace(lab: Settings) -> None:
    whole = toy_state(lab, dropout=0.1, max_tokens_per_forward=180)
    expected = [whole.step(number).loss for number in (1, 2, 3)]
    broken = toy_state(lab, dropout=0.1, max_tokens_per_forward=180)
    assert broken.step(1).loss == expected[0]
    check, asked = broken.stop.check, iter([False, False, True])

    def third() -> None:
        if next(asked):
            raise Interrupted
        check()

    broken.stop.check = third  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        broken.step(2)
    broken.stop = StopFlag()
    assert [broken.step(number).loss for number in (2, 3)] == expected[1:]


@pytest.fixture(scope="module")
def uninterrupted(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """The run of a method that nobody stopped, trained once."""
    store = replace(lab, reports=tmp_path_factory.mktemp("uninterrupted"))

    @cache
    def trained(method: str) -> Run:
        return train(config(**METHODS[method], epochs=2.0, checkpoint_minutes=0), store, run_id=method.split()[-1])

    return trained


@pytest.mark.parametrize("method", ["lora with dropout", "last_k"])
def test_stopped_and_resumed_it_is_one_run(store: Settings, uninterrupted: Callable[[str], Run], method: str) -> None:
    whole = uninterrupted(method)
    run = whole
    for place, step in enumerate((1, 4, 8)):
        flag, on_step = stop_at(step)
        if place == 0:
            run = train(config(**METHODS[method], epochs=2.0), store, run_id="parts", on_step=on_step, stop=flag)
        else:
            run = resume(run, store, on_step=on_step, stop=flag)
        status = run.status()
        assert status is not None
        assert (status.state, status.step, status.attempt) == ("stopped", step, place + 1)
        assert [p.name for p in (run.folder / "checkpoints").iterdir()][-1].startswith("step-")
    run = resume(run, store)
    status = run.status()
    assert status is not None
    assert (status.state, status.attempt) == ("completed", 4)
    assert status.train_seconds is not None
    assert curve(run) == curve(whole)  # one row a step, none twice
    name = "adapter/adapter_model.safetensors" if run.adapter_folder() else "model/model.safetensors"
    assert (run.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert RunStore(store.reports).open("parts").record == run.record


def test_stopped_while_validating_it_validates_again(store: Settings, uninterrupted: Callable[[str], Run]) -> None:
    whole = uninterrupted("lora")
    flag = StopFlag()
    run = train(
        config(epochs=2.0), store, run_id="parts", stop=flag,
        on_step=lambda done, *_: flag.request() if done == 4 else None,
    )  # fmt: skip
    assert curve(run)[-1]["split"] == "train"
    assert curve(resume(run, store)) == curve(whole)


@pytest.mark.real  # tests/reliability/test_killed_worker.py kills it everywhere
def test_killed_without_a_word_it_goes_on_from_its_newest_checkpoint(
    store: Settings, uninterrupted: Callable[[str], Run]
) -> None:
    whole = uninterrupted("lora")
    script = f"""
import os
from dataclasses import replace
from pathlib import Path
from medqa_core.foundation.settings import Settings
from medqa_core.training.train import train
from tests.training.toy_state import config
settings = Settings(Path({str(store.reports)!r}), Path({str(store.cache)!r}), None, None, False)
train(config(epochs=2.0, checkpoint_minutes=0), settings, run_id="killed",
      on_step=lambda done, *_: os.kill(os.getpid(), 9) if done == 7 else None)
"""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)}
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == -9
    run = RunStore(store.reports).open("killed")
    assert run.state() == "lost"
    assert run.metrics_log().train["step"].tolist() == list(range(1, 8))  # no logged step is lost
    resumed = resume(run, store)
    for split in SPLITS:
        ours, theirs = getattr(resumed.metrics_log(), split), getattr(whole.metrics_log(), split)
        assert ours["loss"].tolist() == theirs["loss"].tolist()
    assert resumed.metrics_log().train["attempt"].tolist()[-1] == 2
    weights = [(r.folder / "adapter" / "adapter_model.safetensors").read_bytes() for r in (resumed, whole)]
    assert weights[0] == weights[1]


@pytest.fixture(scope="module")
def stopped(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was stopped after six steps, with two checkpoints. To be copied."""
    flag, on_step = stop_at(6)
    store = replace(lab, reports=tmp_path_factory.mktemp("stopped"))
    return train(config(epochs=2.0, checkpoint_minutes=0), store, run_id="parts", on_step=on_step, stop=flag)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "deleted", "no manifest", "torn state"])
def test_a_damaged_checkpoint_falls_back_and_says_so(
    store: Settings, uninterrupted: Callable[[str], Run], stopped: Run, damage: str
) -> None:
    whole = uninterrupted("lora")
    shutil.copytree(stopped.folder, store.reports / "parts")
    run = RunStore(store.reports).open("parts")
    newest, before = sorted((run.folder / "checkpoints").iterdir(), reverse=True)
    assert (newest.name, before.name) == ("step-00000006", "step-00000005")
    weights = newest / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    if damage == "truncated":
        weights.write_bytes(content[:-100])
    elif damage == "flipped":
        content[-5] ^= 1
        weights.write_bytes(content)
    elif damage == "deleted":
        weights.unlink()
    elif damage == "no manifest":
        (newest / "manifest.json").unlink()
    else:
        (newest / "state.json").write_text("{")
    run = resume(run, store)
    assert "step-00000006 cannot be used" in run.log_tail()
    assert "falling back to the checkpoint before it" in run.log_tail()
    assert "resuming after step 5" in run.log_tail()
    assert run.metrics_log().train["loss"].tolist() == whole.metrics_log().train["loss"].tolist()


def test_without_any_checkpoint_it_begins_anew(
    store: Settings, uninterrupted: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = uninterrupted("lora")
    monkeypatch.setattr(TrainerState, "step", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    run = train(config(epochs=2.0, checkpoint_minutes=0), store, run_id="parts")
    monkeypatch.undo()
    assert run.state() == "stopped"
    assert curve(resume(run, store))[1:] == curve(whole)  # step 0 was validated twice


def test_no_pickle_is_written(store: Settings) -> None:
    flag, on_step = stop_at(3)
    run = train(config(), store, on_step=on_step, stop=flag)
    folder = next((run.folder / "checkpoints").iterdir())
    assert {path.name for path in folder.iterdir()} == {*checkpoint.TENSORS, "state.json", "manifest.json"}
    for path in run.folder.rglob("*"):
        assert path.suffix not in {".pt", ".pth", ".bin", ".pkl"}
        assert not path.is_file() or path.read_bytes()[:2] != b"PK"


def test_what_cannot_be_resumed(store: Settings, lab: Settings) -> None:
    run = train(config(epochs=0.2), store)
    with pytest.raises(InputError, match="is completed: there is nothing left to train"):
        resume(run, store)
    imported = Run(run.folder, run.record.model_copy(update={"config": None, "kind": "imported"}))
    with pytest.raises(InputError, match="is an imported run"):
        resume(imported, store)


@pytest.mark.parametrize(("part", "error"), [("base_model", ModelError), ("data", RunError)])
def test_another_model_or_split_is_refused(store: Settings, part: str, error: type[Exception]) -> None:
    flag, on_step = stop_at(2)
    run = train(config(), store, on_step=on_step, stop=flag)
    changed = getattr(run.record, part).model_copy(update={"sha256": "0" * 64, "split_hash": "0" * 64})
    run = replace(run, record=run.record.model_copy(update={part: changed}))
    with pytest.raises(error, match="start a new run"):
        resume(run, store)
    status = run.status()
    assert status is not None
    assert status.state == "failed"
    assert (run.folder / "checkpoints").is_dir()
