"""Several processes give what one gives: two on a CPU (gloo), launched as accelerate's launcher does it on GPUs.

`accelerate launch --cpu` itself makes one process, whatever `--num_processes` says: on a CPU torchrun makes two.
"""

import json
import os
from pathlib import Path

import pytest
from safetensors.torch import load_file

from medqa_core.foundation.settings import Settings
from tests.support.launch import launch

CHANGES = ["--set", "batch_size=7", "--set", "epochs=1", "--set", "train_size=32", "--set", "weight_decay=0.01"]


def rows(processes: int, settings: Settings, store: Path) -> list[dict[str, float]]:
    """The rows that `train` writes in so many processes."""
    done = launch(processes, settings, store, "train", "--preset", "smoke", "--run-id", "run", *CHANGES)
    assert done.returncode == 0, done.stderr
    assert [name for name in os.listdir(store) if not name.startswith(".")] == ["run"]
    return [json.loads(line) for line in (store / "run" / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("smoke")  # the toy is made
def test_two_processes_give_the_losses_of_one(lab: Settings, tmp_path: Path) -> None:
    alone, together = (rows(processes, lab, tmp_path / str(processes)) for processes in (1, 2))
    assert "2 processes train together; each has all weights" in (tmp_path / "2" / "run" / "train.log").read_text()
    assert [(row["split"], row["step"]) for row in together] == [(row["split"], row["step"]) for row in alone]
    for ours, theirs in zip(together, alone, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-5)
        assert ours["tokens"] == theirs["tokens"]
    assert alone[0]["loss"] > alone[-1]["loss"]
    weights = [load_file(tmp_path / n / "run" / "adapter" / "adapter_model.safetensors") for n in "12"]
    for key, value in weights[0].items():
        assert (value - weights[1][key]).abs().max() < 1e-4
