"""The toy about to train on a few starter pairs, for tests of what a step does."""

from typing import Any

import torch

from medqa_core.data import starter
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import LoadedModel, load
from medqa_core.models.prompt import Example, encode_example
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.record import TrainingPrecision
from medqa_core.training.trainer_state import TrainerState, accelerator_for

METHODS: dict[str, dict[str, Any]] = {
    "lora": {},
    "lora with dropout": {"lora_dropout": 0.2},
    "last_k": {"method": "last_k", "last_k": 1},
    "full": {"method": "full"},
}


def config(**changes: Any) -> TrainConfig:
    return from_preset("smoke", {"batch_size": 7, "epochs": 3.0, "max_tokens": 180, "learning_rate": 3e-3, **changes})


def toy(lab: Settings, *, dropout: float = 0.0) -> LoadedModel:
    base = load("toy", settings=lab, device="cpu")
    for layer in base.model.model.layers:
        layer.self_attn.attention_dropout = dropout
    return base


def examples(base: LoadedModel, count: int = 40) -> list[Example]:
    pairs = starter.load().pairs[:count]
    return [encode_example(base.tokenizer, p.question, p.answer, "chat", 180, end=True) for p in pairs]


def toy_state(
    lab: Settings, *, dropout: float = 0.0, precision: TrainingPrecision = "float32", **changes: Any
) -> TrainerState:
    base = toy(lab, dropout=dropout)
    torch.manual_seed(999)  # whatever happened before
    return TrainerState(config(**changes), base, examples(base), accelerator_for("cpu"), precision=precision)
