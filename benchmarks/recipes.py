"""Learning rates and methods tried against each other: validation loss after the same examples.

Every recipe trains the embedded model on the same MedQuAD examples in the same order and is measured on the same
validation questions of the leak-free split. One seed each: differences of a hundredth say nothing.

    python benchmarks/recipes.py [--quick] [--csv reports/RUN/trials.csv]
"""

import argparse
import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from medqa_core.evaluation.loss import answer_losses, mean_loss
from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.presets import from_preset
from medqa_core.training.inputs import load_inputs
from medqa_core.training.process import as_worker
from medqa_core.training.trainer_state import TrainerState

RECIPES: list[dict[str, Any]] = [
    *({"method": "lora", "learning_rate": rate} for rate in (5e-4, 2e-3, 4e-3)),
    {"method": "lora", "learning_rate": 2e-3, "gradient_accumulation_steps": 4},
    *({"method": "last_k", "last_k": 6, "learning_rate": rate} for rate in (3e-4, 1e-3)),
    *({"method": "full", "learning_rate": rate} for rate in (1e-4, 3e-4)),
]
"""Beside what they change: the preset `medquad-cpu` (rank 8, four examples a step), one epoch, 8 steps of warm-up."""
COLUMNS = ("Recipe", "Training examples", "Validation loss before", "Validation loss after", "Minutes")


def main() -> None:
    """Train each recipe, print a row as it ends, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the toy on a few examples: under a minute, only a check")
    parser.add_argument("--dataset", default="medquad")
    parser.add_argument("--train-size", type=int, default=160)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write the rows there, for a run's write-up")
    arguments = parser.parse_args()
    settings = Settings.from_environment()
    sizes = {"train_size": arguments.train_size, "validation_size": 48, "test_size": 48}
    if arguments.quick:
        sizes = {"base_model": "toy", "dataset": "starter", "train_size": 40, "validation_size": 8, "test_size": 8}
    else:
        sizes["dataset"] = arguments.dataset
    rows, tried = [], []
    print(f"{'recipe':<60}{'before':>8}{'after':>8}{'minutes':>9}")
    for recipe in RECIPES:
        changes = {**sizes, "epochs": 1.0, "warmup_steps": 8, **recipe}
        if arguments.quick:
            changes = {**changes, "max_tokens": 128, "last_k": 1, "max_new_tokens": 16}
        config = from_preset("medquad-cpu", changes)
        inputs = load_inputs(config, settings, lambda _: None)
        with as_worker():
            start = time.monotonic()
            state = TrainerState.of(inputs)
            losses = []
            for last in (False, True):
                with state.evaluating() as model:
                    losses.append(mean_loss(answer_losses(model, inputs.validation)))
                for number in range(1, state.schedule.total_steps + 1) if not last else ():
                    state.step(number)
        minutes = (time.monotonic() - start) / 60
        name = ", ".join(
            f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in recipe.items()
        )
        rows.append(
            {**recipe, "before": round(losses[0], 4), "after": round(losses[1], 4), "minutes": round(minutes, 1)}
        )
        before, after, taken = f"{losses[0]:.4f}", f"{losses[1]:.4f}", f"{minutes:.1f}"
        print(f"{name:<60}{before:>8}{after:>8}{taken:>9}", flush=True)
        tried.append([name, arguments.train_size, before, after, taken])
    if arguments.csv:
        with open(arguments.csv, "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *tried])
    print(json.dumps({"examples": arguments.train_size, "recipes": rows}))


if __name__ == "__main__":
    main()
