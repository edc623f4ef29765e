"""What the builder's runs hold: one scenario a purpose, each with figures that tests have by heart."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from medqa_core.runs.artifacts.mmlu import SUBSETS
from medqa_core.runs.artifacts.predictions import SCHEMA
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.evaluation import Evaluation, Metric
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.record import (
    BaseModelRecord,
    Check,
    DataRecord,
    EnvironmentRecord,
    SplitSizes,
)
from tests.support.evaluations import evaluation, shown_evaluation
from tests.support.foreign_runs import lm_eval
from tests.support.hostile import HOSTILE

Fields = Mapping[str, Any]
SHOWN_AT = datetime(2026, 11, 22, 20, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Scenario:
    """The figures of a builder's runs."""

    record: Fields
    """The run.json of a fine-tune."""
    imported: Fields
    """The run.json of an import; `imported` in it holds the fields of its ImportRecord."""
    started: Fields
    """What the status.json of every fine-tune says."""
    completed: Fields
    """What that of a completed one says besides."""
    curve: tuple[Fields, ...]
    """The rows of metrics.jsonl."""
    evaluation: Fields
    questions: int
    columns: Callable[[int], dict[str, Any]]
    """Columns of predictions.parquet for so many questions."""
    mmlu: Fields
    """Results of lm-evaluation-harness of both models."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Other files, by their names."""


def predictions(columns: Fields) -> pd.DataFrame:
    """The rows of predictions.parquet; columns that are not given are empty."""
    return pd.DataFrame(dict(columns)).reindex(columns=SCHEMA.names)


def shown_predictions(questions: int) -> pd.DataFrame:
    """The predictions of the runs that pages show."""
    return predictions(_shown_columns(questions))


def stored_predictions() -> pd.DataFrame:
    """The predictions of the runs that the run store is tried on."""
    return predictions(_stored_columns(3))


def _grown_columns(questions: int) -> dict[str, Any]:
    """Answers that grew, and ROUGE that rose with them."""
    random = np.random.default_rng(5)
    base_tokens = random.integers(20, 60, questions)
    more = random.integers(1, 40, questions)
    base_rouge = random.uniform(0.05, 0.3, questions)
    values: dict[str, Any] = {
        "question_id": [f"q{i}" for i in range(questions)],
        "group_id": [f"g{i // 2}" for i in range(questions)],
        "question_type": "symptoms",
        "source": "demo",
        "base_answer": [f"base {i}" for i in range(questions)],
        "fine_tuned_answer": [f"tuned {i}" for i in range(questions)],
        "base_answer_tokens": base_tokens,
        "fine_tuned_answer_tokens": base_tokens + more,
        "reference_tokens": 50,
        "reference_bytes": 200,
        "train_overlap": 0.0,
    }
    for name in ("loss", "rouge1", "rouge2", "rougeL"):
        values[f"base_{name}"] = base_rouge
        values[f"fine_tuned_{name}"] = base_rouge + more / 400
    return values


def _shown_columns(questions: int) -> dict[str, Any]:
    """Answers of three question types; one is hostile, one is empty."""
    random = np.random.default_rng(2)
    kinds = ["symptoms", "treatment", "causes"]
    values: dict[str, Any] = {
        "question_id": [f"q{n:03d}" for n in range(questions)],
        "group_id": [f"g{n // 2:03d}" for n in range(questions)],
        "question_type": [kinds[n % 3] for n in range(questions)],
        "source": "starter",
        "base_answer": [HOSTILE if n == 0 else f"The base answer number {n} is short." for n in range(questions)],
        "fine_tuned_answer": ["" if n == 1 else f"The tuned answer number {n} is longer." for n in range(questions)],
        "reference_tokens": [100 + n for n in range(questions)],
        "reference_bytes": [450 + n for n in range(questions)],
        "train_overlap": [0.1 * (n % 4) for n in range(questions)],
    }
    for variant, lift in (("base", 0.0), ("fine_tuned", 0.05)):
        values[f"{variant}_loss"] = 2.3 - 8 * lift + random.normal(0, 0.2, questions)
        for rouge in ("rouge1", "rouge2", "rougeL"):
            values[f"{variant}_{rouge}"] = np.clip(0.15 + lift + random.normal(0, 0.05, questions), 0, 1)
        values[f"{variant}_answer_tokens"] = random.integers(20, 120, questions)
    return values


def _stored_columns(questions: int) -> dict[str, Any]:
    """The same short answers of both models to every question."""
    numbers = range(questions)
    texts = ("question_id", "group_id", "question_type", "source")
    values: dict[str, Any] = {name: [f"{name} {i}" for i in numbers] for name in texts}
    for variant in ("base", "fine_tuned"):
        values |= {f"{variant}_answer": "Rest.", f"{variant}_loss": [2.0 + i for i in numbers]}
        values |= {f"{variant}_answer_tokens": 2}
        values |= {f"{variant}_{name}": 0.25 for name in ("rouge1", "rouge2", "rougeL")}
    return values | {"reference_tokens": 9, "reference_bytes": 40, "train_overlap": 0.0}


def _falling_curve() -> tuple[Fields, ...]:
    train = 2.4 - 0.6 * np.linspace(0, 1, 80) + np.random.default_rng(1).normal(0, 0.03, 80)
    return curve_rows([2.30, 2.10, 2.00, 1.95, 1.92, 1.90, 1.89, 1.88], list(train))


def curve_rows(validation: list[float], train: list[float], every: int = 10) -> tuple[Fields, ...]:
    """A training loss each `every` steps, a validation loss each ten times as many."""
    rows = [{"split": "train", "step": i * every, "epoch": i / 10, "loss": float(x)} for i, x in enumerate(train, 1)]
    rows += [
        {"split": "validation", "step": i * every * 10, "epoch": float(i), "loss": float(x)}
        for i, x in enumerate(validation, 1)
    ]
    return tuple(rows)


def _shown_curve() -> tuple[Fields, ...]:
    random = np.random.default_rng(1)
    rows: list[Fields] = []
    for step in range(1, 61):
        at = {"step": step, "epoch": step / 30}
        loss = 1.75 + 0.7 * math.exp(-step / 12) + random.normal(0, 0.06)
        rate = 2e-3 * min(1.0, step / 10)
        rows.append({"split": "train", **at, "loss": loss, "learning_rate": rate, "grad_norm": 1 + random.random()})
        if step % 10 == 0:
            rows.append({"split": "validation", **at, "loss": 1.8 + 0.5 * math.exp(-step / 12)})
    return tuple(rows)


def _stored_curve() -> tuple[Fields, ...]:
    rows: list[Fields] = [
        {"split": "train", "step": n, "epoch": n / 4, "attempt": 1, "loss": 3.0 - n / 2, "learning_rate": 1e-3}
        for n in range(1, 5)
    ]
    return (*rows, {"split": "validation", "step": 4, "epoch": 1.0, "attempt": 1, "loss": 1.5})


def _mmlu(subsets: tuple[str, ...], base: float, tuned: float, error: float, n: int, step: float = 0.0) -> Fields:
    """Both models' results on these subsets; each is `step` above the one before it."""

    def one(accuracy: float) -> Fields:
        results = {
            f"mmlu_{name}": {"acc,none": accuracy + step * i, "acc_stderr,none": error}
            for i, name in enumerate(subsets)
        }
        return {"results": results, "n-samples": {name: {"original": n, "effective": n} for name in results}}

    return {"base": one(base), "fine_tuned": one(tuned)}


REPORTED = Scenario(
    record={
        "id": "run-1",
        "number": 7,
        "title": "SmolLM2-135M on MedQuAD",
        "description": "See whether a low-rank adapter helps.",
        "kind": "finetune",
        "created_at": datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        "config": TrainConfig(dataset="medquad", epochs=8),
        "base_model": BaseModelRecord(id="smollm2-135m-instruct", parameters=134_515_008, sha256="ab" * 32),
        "data": DataRecord(
            source="medquad",
            licence="CC BY 4.0",
            pairs_parsed=47_441,
            split=SplitSizes(train=3500, validation=750, test=60),
            split_hash="cd" * 32,
            truncated_share=0.2,
        ),
        "environment": EnvironmentRecord(device="cpu", threads=2, python="3.11.9", torch="2.13.0"),
    },
    imported={
        "id": "imported-1",
        "number": 2,
        "title": "DistilGPT-2 on MedQuAD",
        "kind": "imported",
        "created_at": datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        "imported": {
            "format": "summary",
            "source": "summary.txt",
            "figures": {
                "train_minutes": 10.5,
                "final_train_loss": 2.5,
                "samples_per_second": 3.25,
                "test_loss": 2.0,
                "perplexity": 7.39,
                "rouge1": 0.25,
                "rouge2": 0.08,
                "rougeL": 0.2,
                "learning_rate": 1e-5,
                "batch_size": 4,
                "epochs": 3,
                "max_length": 256,
                "train_size": 120,
                "device": "mps",
            },
            "sections": {
                "📈 FINDINGS": ["✅ Loss went down and the model converged", "ROUGE-1 of 0.25 is a good score"],
                "ADVICE": ["⚠️ No replacement for a doctor"],
            },
            "missing": ["base figures", "loss curve"],
            "checks": [
                Check(name="perplexity = exp(loss)", passed=True, detail="exp(2.0) is 7.39"),
                Check(name="examples a second", passed=False, detail="2,047 against 360"),
                Check(name="MMLU", passed=None, detail="no results"),
            ],
        },
    },
    started={},
    completed={"state": "completed", "step": 800, "total_steps": 800, "epoch": 8.0, "train_seconds": 4800.0},
    curve=_falling_curve(),
    evaluation=evaluation(),
    questions=60,
    columns=_grown_columns,
    mmlu=_mmlu(("anatomy",), 0.25, 0.27, 0.04, 135),
    texts={"adapter/adapter_model.safetensors": "stub"},
)
"""What the write-up's rules are tried on: gains on loss and ROUGE-L, a curve that falls, an import with a summary."""

SHOWN = Scenario(
    record={
        "id": "finished",
        "number": 3,
        "title": "SmolLM2-135M on MedQuAD",
        "description": "See what a small fine-tune changes.",
        "kind": "finetune",
        "created_at": datetime(2026, 11, 22, 20, 13, tzinfo=UTC),
        "config": TrainConfig(title="Fine-tune", dataset="starter", lora_rank=8),
        "base_model": BaseModelRecord(id="smollm2-135m-instruct", parameters=134_515_008),
        "data": DataRecord(source="MedQuAD", split=SplitSizes(train=500, validation=60, test=24), split_hash="0" * 64),
        "environment": EnvironmentRecord(device="cpu", threads=2, python="3.11", torch="2.13.0"),
    },
    imported={
        "id": "run-2",
        "number": 2,
        "title": "DistilGPT-2 on MedQuAD",
        "description": "Fine-tune DistilGPT-2 to answer medical questions.",
        "kind": "imported",
        "created_at": datetime(2025, 10, 11, 17, 40, tzinfo=UTC),
        "base_model": BaseModelRecord(id="distilbert/distilgpt2", parameters=81_912_576),
        "data": DataRecord(source="MedQuAD", split=SplitSizes(train=3500, validation=750, test=750)),
        "imported": {
            "format": "summary",
            "source": "run-2-summary.txt",
            "figures": {
                "test_loss": 2.0423,
                "perplexity": 7.71,
                "rougeL": 0.1652,
                "train_minutes": 81.79,
                "epochs": 8,
            },
            "sections": {"KEY INSIGHTS": ["Model converged successfully"]},
            "missing": ["loss curve", "base figures", "answers"],
            "checks": [Check(name="perplexity = exp(loss)", passed=True, detail="exp(2.0423) = 7.708")],
        },
    },
    started={"started_at": SHOWN_AT, "heartbeat": SHOWN_AT, "train_seconds": 4900.0, "total_steps": 60},
    completed={"state": "completed", "step": 60, "epoch": 2.0, "best": {"step": 60, "validation_loss": 1.8034}},
    curve=_shown_curve(),
    evaluation=shown_evaluation(24).model_dump(mode="json"),
    questions=24,
    columns=_shown_columns,
    mmlu=_mmlu(SUBSETS, 0.24, 0.25, 0.03, 180, step=0.01),
    texts={"adapter/adapter_model.safetensors": ""},
)
"""What pages show: a run of 60 steps with a hostile and an empty answer, beside ones that run, failed or are torn."""

_STORED_METRIC = Metric(base=2.0, fine_tuned=1.5, difference=-0.5, ci=(-0.6, -0.4), level=0.95, n=12, verdict="better")
STORED = Scenario(
    record={
        "id": "good",
        "number": 7,
        "title": "A good run",
        "kind": "finetune",
        "created_at": datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        "config": from_preset("smoke"),
        "base_model": BaseModelRecord(id="toy"),
        "data": DataRecord(source="starter", split=SplitSizes(train=48, validation=12, test=12)),
    },
    imported={},
    started={},
    completed={"state": "completed", "step": 4, "total_steps": 4},
    curve=_stored_curve(),
    evaluation=Evaluation(primary_metric="loss", metrics={"loss": _STORED_METRIC}).model_dump(mode="json"),
    questions=3,
    columns=_stored_columns,
    mmlu={"base": lm_eval(0.25), "fine_tuned": lm_eval(0.26)},
    texts={"train.log": "started\nended\n", "summary.txt": "It helped.\n"},
)
"""What the run store is tried on: each file there, as small as it can be, and no weights."""
