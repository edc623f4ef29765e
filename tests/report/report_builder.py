"""Run folders built by hand, through the same floor that the program writes them with."""

import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medqa_core.foundation.files import write_json, write_text
from medqa_core.runs.artifacts.predictions import SCHEMA, write_predictions
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.record import (
    BaseModelRecord,
    Check,
    DataRecord,
    EnvironmentRecord,
    ImportRecord,
    RunRecord,
    SplitSizes,
)
from medqa_core.runs.store.run_store import RunStore

CREATED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


class Builder:
    """Makes runs in one store and fills their files."""

    def __init__(self, folder: Path) -> None:
        self.store = RunStore(folder)

    def run(self, run_id: str = "run-1", **changes: Any) -> Run:
        """A fine-tune with nothing but its run.json."""
        values: dict[str, Any] = {
            "id": run_id,
            "number": 7,
            "title": "SmolLM2-135M on MedQuAD",
            "description": "See whether a low-rank adapter helps.",
            "kind": "finetune",
            "created_at": CREATED,
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
        } | changes
        return self.store.create(RunRecord(**values))

    def imported(self, run_id: str = "imported-1", **changes: Any) -> Run:
        """A run that someone else's summary describes."""
        source = {
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
        } | changes.pop("source", {})
        values = {
            "id": run_id,
            "number": 2,
            "title": "DistilGPT-2 on MedQuAD",
            "kind": "imported",
            "created_at": CREATED,
            "imported": ImportRecord(**source),
        } | changes
        return self.store.create(RunRecord(**values))

    def curve(self, run: Run, validation: Iterable[float] = (), train: Iterable[float] = (), every: int = 10) -> None:
        """A metrics.jsonl: a training loss each `every` steps, a validation loss each ten times as many."""
        rows = [row("train", i * every, i / 10, loss) for i, loss in enumerate(train, 1)]
        rows += [row("validation", i * every * 10, float(i), loss) for i, loss in enumerate(validation, 1)]
        write_text(run.folder / "metrics.jsonl", "".join(f"{json.dumps(r)}\n" for r in rows))

    def status(self, run: Run, **changes: Any) -> None:
        """A status.json of a run that completed."""
        values = {"state": "completed", "step": 800, "total_steps": 800, "epoch": 8.0, "train_seconds": 4800.0}
        write_json(run.folder / "status.json", values | changes)

    def evaluation(self, run: Run, **changes: Any) -> None:
        """An evaluation.json: better on loss and ROUGE-L, cannot tell on MMLU."""
        write_json(run.folder / "evaluation.json", evaluation(**changes))

    def predictions(self, run: Run, rows: int = 60, **columns: Any) -> None:
        """A predictions.parquet with answers that grew and ROUGE that rose with them."""
        random = np.random.default_rng(5)
        base_tokens = random.integers(20, 60, rows)
        more = random.integers(1, 40, rows)
        base_rouge = random.uniform(0.05, 0.3, rows)
        values: dict[str, Any] = {
            "question_id": [f"q{i}" for i in range(rows)],
            "group_id": [f"g{i // 2}" for i in range(rows)],
            "question_type": "symptoms",
            "source": "demo",
            "base_answer": [f"base {i}" for i in range(rows)],
            "fine_tuned_answer": [f"tuned {i}" for i in range(rows)],
            "base_answer_tokens": base_tokens,
            "fine_tuned_answer_tokens": base_tokens + more,
            "reference_tokens": 50,
            "reference_bytes": 200,
            "train_overlap": 0.0,
        }
        for name in ("loss", "rouge1", "rouge2", "rougeL"):
            values[f"base_{name}"] = base_rouge
            values[f"fine_tuned_{name}"] = base_rouge + more / 400
        frame = pd.DataFrame({**dict.fromkeys(SCHEMA.names), **values, **columns})
        write_predictions(run.folder, frame)

    def finished(self, run_id: str = "run-1", **changes: Any) -> Run:
        """A fine-tune with every file."""
        run = self.run(run_id, **changes)
        random = np.random.default_rng(1)
        train = 2.4 - 0.6 * np.linspace(0, 1, 80) + random.normal(0, 0.03, 80)
        self.curve(run, validation=[2.30, 2.10, 2.00, 1.95, 1.92, 1.90, 1.89, 1.88], train=train)
        self.status(run)
        self.evaluation(run)
        self.predictions(run)
        write_json(run.folder / "mmlu_results" / "results.json", mmlu())
        (run.folder / "adapter").mkdir()
        write_text(run.folder / "adapter" / "adapter_model.safetensors", "stub")
        return run


def row(split: str, step: int, epoch: float, loss: float) -> dict[str, Any]:
    """One row of metrics.jsonl as the program writes it."""
    if math.isfinite(loss):
        return {"split": split, "step": step, "epoch": epoch, "loss": float(loss)}
    return {"split": split, "step": step, "epoch": epoch, "loss": None, "non_finite": ["loss"]}


def metric(base: float | None, tuned: float | None, half: float, verdict: str, **more: Any) -> dict[str, Any]:
    """One metric with an interval of ± `half`."""
    difference = None if base is None or tuned is None else tuned - base
    ci = None if difference is None else [difference - half, difference + half]
    values = {"base": base, "fine_tuned": tuned, "difference": difference, "ci": ci, "level": 0.95, "n": 60}
    return {**values, "groups": 30, "p": 0.001, "verdict": verdict, "min_detectable_effect": half, **more}


def evaluation(**changes: Any) -> dict[str, Any]:
    """The whole of an evaluation.json."""
    variant = {"empty_share": 0.0, "mean_tokens": 40.0, "seconds": 30.0, "prompt": "chat"}
    return {
        "schema_version": 2,
        "primary_metric": "loss",
        "metrics": {
            "loss": metric(2.4301, 2.0181, 0.05, "better"),
            "perplexity": metric(11.36, 7.52, 0.5, "better"),
            "rougeL": metric(0.15, 0.204, 0.0315, "better"),
            "mmlu": metric(0.25, 0.26, 0.02, "cannot tell", p=0.4, n=1089),
        },
        "by_question_type": {
            "symptoms": {"loss": metric(2.5, 2.0, 0.1, "better", n=30)},
            "treatment": {"loss": metric(2.4, 2.1, 0.15, "better", n=25)},
            "rare": {"loss": metric(2.4, 1.0, 0.1, "better", n=5)},
        },
        "base_generation": variant | {"empty_share": 0.12, "length_ratio": 0.6},
        "fine_tuned_generation": variant | {"length_ratio": 0.9},
        "protocol": {"decoding": {"max_new_tokens": 128, "engine": "CTranslate2 4"}},
        "seconds": 60.0,
    } | changes


def mmlu() -> dict[str, Any]:
    """An MMLU results file of two models."""

    def one(accuracy: float) -> dict[str, Any]:
        return {
            "results": {"mmlu_anatomy": {"acc,none": accuracy, "acc_stderr,none": 0.04}},
            "n-samples": {"mmlu_anatomy": {"original": 135, "effective": 135}},
        }

    return {"base": one(0.25), "fine_tuned": one(0.27)}
