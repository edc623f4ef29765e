"""Checkpoints: what a resume needs, as safetensors and JSON with checksums; complete or absent, never pickled.

`checkpoints/step-00000120/` holds `weights.safetensors` (the trained weights), `optimizer.safetensors` (AdamW's two
moments and step count for each weight), `random.safetensors` (generator states), `state.json` (step, counters, best)
and `manifest.json` (SHA-256 of each). The position of the sampler is the step.
"""

import logging
import math
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from medqa_core.foundation import files
from medqa_core.foundation.errors import RunError, first_line
from medqa_core.foundation.paths import resolve_inside
from medqa_core.runs.schema.record import Record
from medqa_core.runs.schema.status import Best

log = logging.getLogger("medqa.train")
FOLDER = "checkpoints"
KEPT = 2
"""The newest and the one before it, to fall back to."""
TENSORS = ("weights.safetensors", "optimizer.safetensors", "random.safetensors")
Tensors = dict[str, torch.Tensor]


class Counters(Record):
    """Where the training stands after a step."""

    step: int = Field(0, ge=0)
    tokens: int = Field(0, ge=0)
    seconds: float = Field(0.0, ge=0)
    """In the training loop, validation included, over all attempts."""
    best: Best | None = None
    bad_validations: int = Field(0, ge=0)
    """In a row, without a lower loss."""
    validated: int | None = None
    """The step of the last validation."""

    def after_step(self, step: int, tokens: int, seconds: float) -> "Counters":
        """These after a step of so many tokens, `seconds` into the training."""
        return self.model_copy(update={"step": step, "tokens": self.tokens + tokens, "seconds": seconds})

    def after_validation(self, loss: float) -> "Counters":
        """These with the validation loss of the weights as they are; `best` is another one if it was the lowest."""
        better = math.isfinite(loss) and (self.best is None or loss < self.best.validation_loss)
        best = Best(step=self.step, validation_loss=loss) if better else self.best
        bad = 0 if better else self.bad_validations + 1
        return self.model_copy(update={"best": best, "bad_validations": bad, "validated": self.step})


class Checkpoint:
    """One checkpoint, read and checked."""

    def __init__(self, counters: Counters, weights: Tensors, optimizer: Tensors, random: Tensors) -> None:
        self.counters = counters
        self.weights = weights
        self.optimizer = optimizer
        self.random = random


def write(run_folder: Path, counters: Counters, weights: Tensors, optimizer: Tensors, random: Tensors) -> Path:
    """Write a checkpoint and remove those that are older than the one before it.

    Raises:
        OSError: the disk is full or cannot be written; what was there before is untouched.
    """
    folder = run_folder / FOLDER / f"step-{counters.step:08d}"

    def fill(temporary: Path) -> None:
        for name, tensors in zip(TENSORS, (weights, optimizer, random), strict=True):
            save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, temporary / name)
        files.write_json(temporary / "state.json", counters.model_dump(mode="json"))
        sums = {name: files.sha256(temporary / name) for name in (*TENSORS, "state.json")}
        files.write_json(temporary / "manifest.json", sums)

    files.write_folder(folder, fill)
    for old in _all(run_folder)[KEPT:]:
        files.remove_folder(old)
    return folder


def newest(run_folder: Path) -> Checkpoint | None:
    """The newest checkpoint that is whole; a damaged one is skipped, and the log says so."""
    found = _all(run_folder)
    for position, folder in enumerate(found, 1):
        try:
            return _read(folder)
        except (RunError, OSError, SafetensorError, ValidationError, ValueError, KeyError, TypeError) as error:
            older = position < len(found)
            then = "falling back to the checkpoint before it" if older else "there is no other: back to the first step"
            log.warning("%s cannot be used (%s); %s", folder.name, first_line(error), then)
    return None


def remove(run_folder: Path) -> None:
    """Remove all checkpoints: a completed run needs none."""
    files.remove_folder(run_folder / FOLDER)


def recover(run_folder: Path) -> None:
    """Put right what a killed attempt left: a checkpoint that was about to be replaced by the same step's is kept."""
    files.recover(run_folder)
    files.recover(run_folder / FOLDER)


def _all(run_folder: Path) -> list[Path]:
    """The checkpoints' folders, newest first."""
    try:
        found = [p for p in (run_folder / FOLDER).iterdir() if p.name.startswith("step-") and p.is_dir()]
    except OSError:
        return []
    return sorted(found, key=lambda path: path.name, reverse=True)


def _read(folder: Path) -> Checkpoint:
    folder = resolve_inside(folder.parent, folder.name)
    sums: Any = files.read_json(resolve_inside(folder, "manifest.json"))
    for name in (*TENSORS, "state.json"):
        path = resolve_inside(folder, name)
        if not path.is_file() or files.sha256(path) != sums[name]:
            raise ValueError(f"{name} is missing or damaged")
    counters = Counters.model_validate(files.read_json(folder / "state.json"))
    weights, optimizer, random = (load_file(folder / name) for name in TENSORS)
    return Checkpoint(counters, weights, optimizer, random)
