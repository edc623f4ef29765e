"""Several processes give what one gives: two on a CPU (gloo), launched as accelerate's launcher does it on GPUs.

`accelerate launch --cpu` itself makes one process, whatever `--num_processes` says: on a CPU torchrun makes two.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.presets import from_preset
from medqa_core.training.train import train
from tests.support.launch import launch

CHANGES = {"batch_size": 7, "epochs": 1, "train_size": 32, "weight_decay": 0.01}


def rows(run_folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("smoke")  # the toy is made
def test_two_processes_give_the_losses_of_one(lab: Settings, tmp_path: Path) -> None:
    words = [word for name, value in CHANGES.items() for word in ("--set", f"{name}={value}")]
    done = launch(2, lab, tmp_path / "2", "train", "--preset", "smoke", "--run-id", "run", *words)
    assert done.returncode == 0, done.stderr
    assert [name for name in os.listdir(tmp_path / "2") if not name.startswith(".")] == ["run"]
    two = tmp_path / "2" / "run"
    assert "2 processes train together; each has all weights" in (two / "train.log").read_text()
    one = train(from_preset("smoke", CHANGES), replace(lab, reports=tmp_path / "1")).folder
    together, alone = rows(two), rows(one)
    assert [(row["split"], row["step"]) for row in together] == [(row["split"], row["step"]) for row in alone]
    for ours, theirs in zip(together, alone, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-5)
        assert ours["tokens"] == theirs["tokens"]
    assert alone[0]["loss"] > alone[-1]["loss"]
    weights = [load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (one, two)]
    for key, value in weights[0].items():
        assert (value - weights[1][key]).abs().max() < 1e-4
