"""Named starting points for a fine-tune. A preset is a set of fields; everything in it can be overridden."""

import shlex
from collections.abc import Mapping
from pathlib import PureWindowsPath
from typing import Any

from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import UnknownName, shorten
from medqa_core.foundation.visible import plain
from medqa_core.runs.schema.config import TrainConfig, validated

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {
        "title": "Smoke test",
        "description": "Check that training, evaluation and the write-up run from end to end on a two-layer toy model.",
        "base_model": "toy",
        "dataset": "starter",
        "train_size": 48,
        "validation_size": 12,
        "test_size": 12,
        "lora_rank": 4,
        "lora_alpha": 8,
        "batch_size": 8,
        "gradient_accumulation_steps": 1,
        "epochs": 2.0,
        "max_tokens": 128,
        "learning_rate": 5e-3,
        "warmup_steps": 2,
        "eval_steps": 4,
        "checkpoint_minutes": 0.0,
        "max_new_tokens": 16,
    },
    "starter": {
        "title": "SmolLM2-135M on the starter set",
        "description": "See within ten minutes, with no download beyond the model, what a small fine-tune changes.",
        "dataset": "starter",
        "train_size": 360,
        "validation_size": 40,
        "lora_rank": 4,
        "lora_alpha": 8,
        "batch_size": 4,
        "gradient_accumulation_steps": 1,
        "epochs": 1.0,
        "max_tokens": 192,
        "learning_rate": 2e-3,
        "warmup_steps": 10,
        "eval_steps": 30,
        "eval_examples": 40,
        "max_new_tokens": 96,
    },
    "medquad-cpu": {
        "title": "SmolLM2-135M on MedQuAD",
        "description": "Fine-tune the embedded model on MedQuAD with a low-rank adapter, on a machine without a GPU.",
        "dataset": "medquad",
        "train_size": 3500,
        "validation_size": 750,
        "test_size": 750,
        "lora_rank": 8,
        "lora_alpha": 16,
        "batch_size": 2,
        "gradient_accumulation_steps": 2,
        "epochs": 2.0,
        "learning_rate": 2e-3,
        "warmup_steps": 20,
        "eval_steps": 100,
        "patience": 5,
        "max_new_tokens": 160,
    },
    "medquad-closed": {
        "title": "SmolLM2-135M on MedQuAD, closed book",
        "description": "Fine-tune the embedded model to answer from its weights, with answers prepared to be learnt.",
        "dataset": "medquad",
        "train_size": 3500,
        "validation_size": 750,
        "test_size": 750,
        "preparation": "answers",
        "lora_layers": 12,
        "lora_rank": 16,
        "lora_alpha": 32,
        "batch_size": 24,
        "gradient_accumulation_steps": 1,
        "epochs": 3.0,
        "max_tokens": 384,
        "learning_rate": 2e-3,
        "warmup_steps": 20,
        "eval_steps": 100,
        "max_new_tokens": 160,
    },
    "medquad-open-book": {
        "title": "SmolLM2-135M on MedQuAD, open book",
        "description": "Fine-tune the embedded model to answer from passages that are found for the question.",
        "dataset": "medquad",
        "train_size": 3500,
        "validation_size": 750,
        "test_size": 750,
        "preparation": "answers",
        "task": "open_book",
        "passage_order": "ranked",
        "without_right_passage": "answer",
        "lora_rank": 8,
        "lora_alpha": 16,
        "batch_size": 24,
        "gradient_accumulation_steps": 1,
        "epochs": 1.0,
        "max_tokens": 768,
        "learning_rate": 2e-3,
        "warmup_steps": 20,
        "eval_steps": 100,
        "max_new_tokens": 160,
    },
    "run-2": {
        "title": "DistilGPT-2 on MedQuAD, as in Run #2",
        "description": "Repeat the reference run's recipe on a split by document, topic and text.",
        "base_model": "distilbert/distilgpt2",
        "dataset": "medquad",
        "train_size": 3500,
        "validation_size": 750,
        "test_size": 750,
        "method": "full",
        "batch_size": 12,
        "gradient_accumulation_steps": 2,
        "epochs": 8.0,
        "max_tokens": 384,
        "learning_rate": 1e-5,
        "schedule": "linear",
        "warmup_steps": 200,
        "weight_decay": 0.01,
        "eval_steps": 146,
        "max_new_tokens": 160,
    },
}


CUSTOM = "custom"
"""The name of a configuration that starts from the fields' defaults."""
DEFAULT = "starter"
"""The preset where none is named."""


def from_preset(name: str, overrides: Mapping[str, Any] | None = None) -> TrainConfig:
    """The preset's configuration with `overrides` in place of its values.

    Raises:
        UnknownName: no such preset, or no such field.
        InputError: a value of a wrong type or out of range.
    """
    if name not in PRESETS and name != CUSTOM:
        raise UnknownName("preset", name, [*PRESETS, CUSTOM])
    return validated({**PRESETS.get(name, {}), "preset": name, **(overrides or {})})


def own_data(dataset: str | None, test_dataset: str | None = None) -> dict[str, Any]:
    """Overrides for data of one's own: a preset's sizes, title and description are of its own data set, and go."""
    found: dict[str, Any] = {}
    if dataset is not None:
        sizes = {"train_size": None, "validation_size": None, "test_size": None}
        found |= {"dataset": dataset, **sizes, **own_title(dataset), "description": ""}
    if test_dataset is not None:
        found |= {"test_dataset": test_dataset, "test_size": None}
    return found


def own_title(name: str) -> dict[str, str]:
    """The title of a fine-tune on data that are called so; of a path, its last part."""
    return {"title": shorten(f"Fine-tune on {plain(PureWindowsPath(name).name) or 'own data'}", 80)}


def differences(config: TrainConfig) -> dict[str, Any]:
    """The fields in which `config` differs from its preset."""
    start = from_preset(config.preset if config.preset in PRESETS else CUSTOM)
    return {name: value for name, value in config if name != "preset" and value != getattr(start, name)}


def train_arguments(config: TrainConfig) -> list[str]:
    """The verb and options that train with this configuration."""
    words = ["train", "--preset", config.preset if config.preset in PRESETS else CUSTOM]
    for name, value in differences(config).items():
        words += ["--set", f"{name}={as_text(value)}"]
    return words


def command_line(config: TrainConfig) -> str:
    """The command that trains with this configuration, as a person types it."""
    return shlex.join([PROGRAM, *train_arguments(config)])


def as_text(value: Any) -> str:
    """A field's value as it is typed after `--set FIELD=` or into a form."""
    if isinstance(value, dict):
        return ",".join(f"{name}={column}" for name, column in value.items())
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
