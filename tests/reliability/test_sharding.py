"""A model sharded over two processes (FSDP2, gloo) trains, stops, resumes and is saved as one process does it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from medqa_core.training import checkpoint
from medqa_core.training.train import resume
from tests.support.launch import launch

pytestmark = [pytest.mark.reliability, pytest.mark.usefixtures("smoke")]  # the toy is made
SET = ["batch_size=7", "epochs=2", "train_size=32", "weight_decay=0.01", "eval_steps=3", "validation_size=13"]
WORDS = ["train", "--preset", "smoke", "--run-id", "run", *(word for item in SET for word in ("--set", item))]
METHODS = {"full": "method=full", "lora": "method=lora", "again": "gradient_checkpointing=true"}
STOP = """
import sys, threading
from medqa_core.training import train as module
from medqa_core.training.trainer_state import TrainerState
from medqa_core.cli.app import main

count = TrainerState.count_step


def counted(self, result):
    count(self, result)
    if result.number == 4 and self.accelerator.is_main_process:
        self.stop.request()


TrainerState.count_step = counted
sys.exit(main())
"""
"""`medqa`, but for a stop that is asked for in the main process after step 4."""


def losses(folder: Path) -> dict[tuple[str, int], float]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {(row["split"], row["step"]): row["loss"] for row in rows}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    (path,) = folder.glob("*/*.safetensors")
    return load_file(path)


def assert_same_training(ours: Path, theirs: Path, within: float = 1e-5) -> None:
    mine, others = losses(ours), losses(theirs)
    assert mine.keys() == others.keys()
    for key, loss in mine.items():
        assert loss == pytest.approx(others[key], abs=within), key
    a, b = weights(ours), weights(theirs)
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert (value.shape, value.dtype) == (b[name].shape, b[name].dtype)
        assert (value - b[name]).abs().max() < 10 * within, name


@pytest.mark.parametrize("change", METHODS.values(), ids=METHODS)
def test_sharded_it_is_the_training_of_one_process(lab: Settings, tmp_path: Path, change: str) -> None:
    for name, processes in (("alone", 1), ("sharded", 2)):
        done = launch(processes, lab, tmp_path / name, *WORDS, "--set", change, sharded=processes > 1)
        assert done.returncode == 0, done.stderr
    folder = tmp_path / "sharded" / "run"
    assert "2 processes train together; each shards the weights" in (folder / "train.log").read_text()
    assert_same_training(folder, tmp_path / "alone" / "run")


def test_sharded_it_computes_in_bfloat16(lab: Settings, tmp_path: Path) -> None:
    for name, processes in (("alone", 1), ("sharded", 2)):
        done = launch(processes, lab, tmp_path / name, *WORDS, "--set", "precision=bfloat16", sharded=processes > 1)
        assert done.returncode == 0, done.stderr
    assert_same_training(tmp_path / "sharded" / "run", tmp_path / "alone" / "run", within=0.02)


@pytest.mark.parametrize("change", ["method=full", "lora_dropout=0.0"])
def test_stopped_it_is_resumed_by_one_process_or_by_two(lab: Settings, tmp_path: Path, change: str) -> None:
    whole = launch(1, lab, tmp_path / "alone", *WORDS, "--set", change)
    assert whole.returncode == 0, whole.stderr
    script = tmp_path / "stopping.py"
    script.write_text(STOP)
    for name in ("one", "two"):
        store = tmp_path / name
        launch(2, lab, store, *WORDS, "--set", change, sharded=True, script=script)
        run = Run.at(store / "run")
        assert run.state() == "stopped"
        saved = checkpoint.newest(run.folder)
        assert saved is not None
        assert saved.counters.step == 4
        shapes = {key: tuple(value.shape) for key, value in saved.weights.items()}
        for key, value in saved.optimizer.items():
            kind, _, weight = key.partition("/")
            assert kind == "step" or tuple(value.shape) == shapes[weight]  # whole, not a shard
        if name == "one":
            resume(run, store_settings(lab, store))
        else:
            done = launch(2, lab, store, "train", "--resume", "run", sharded=True)
            assert done.returncode == 0, done.stderr
        assert Run.at(run.folder).state() == "completed"
        assert_same_training(run.folder, tmp_path / "alone" / "run")


def store_settings(lab: Settings, store: Path) -> Any:
    return Settings(reports=store, cache=lab.cache, medquad=None, mmlu=None, public=False)
