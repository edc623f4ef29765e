"""Several processes give what one gives: `accelerate launch` with two on a CPU (gloo)."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from medqa_core.foundation.settings import PACKAGE_ROOT, Settings

CHANGES = ["--set", "batch_size=7", "--set", "epochs=1", "--set", "train_size=32", "--set", "weight_decay=0.01"]


def launched(processes: int, settings: Settings, store: Path) -> list[dict[str, Any]]:
    """The rows that `train` writes under `accelerate launch` with so many processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--cpu", "--num_machines", "1"]
    command += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", str(port)]
    command += ["--num_cpu_threads_per_process", "1", "--num_processes", str(processes)]
    command += ["-m", "medqa_core", "train", "--preset", "smoke", "--run-id", "run", *CHANGES]
    environment = {**os.environ, "MEDQA_REPORTS": str(store), "MEDQA_CACHE": str(settings.cache)}
    done = subprocess.run(command, cwd=PACKAGE_ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [name for name in os.listdir(store) if not name.startswith(".")] == ["run"]
    return [json.loads(line) for line in (store / "run" / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("smoke")  # the toy is made
def test_two_processes_give_the_losses_of_one(lab: Settings, tmp_path: Path) -> None:
    alone = launched(1, lab, tmp_path / "1")
    together = launched(2, lab, tmp_path / "2")
    assert [(row["split"], row["step"]) for row in together] == [(row["split"], row["step"]) for row in alone]
    for ours, theirs in zip(together, alone, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-5)
        assert ours["tokens"] == theirs["tokens"]
    assert alone[0]["loss"] > alone[-1]["loss"]
    weights = [load_file(tmp_path / n / "run" / "adapter" / "adapter_model.safetensors") for n in "12"]
    for key, value in weights[0].items():
        assert (value - weights[1][key]).abs().max() < 1e-4
