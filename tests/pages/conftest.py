"""Synthetic runs, written with the run store's own writers: one of each kind a page may meet."""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medqa_core.foundation.files import write_json, write_text
from medqa_core.runs.artifacts.mmlu import SUBSETS
from medqa_core.runs.artifacts.predictions import SCHEMA, write_predictions
from medqa_core.runs.metrics_log.log import MetricsLogWriter
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.evaluation import Evaluation, Generation, Metric
from medqa_core.runs.schema.record import (
    BaseModelRecord,
    Check,
    DataRecord,
    EnvironmentRecord,
    ImportRecord,
    RunRecord,
    SplitSizes,
)
from medqa_core.runs.schema.status import Best, ProcessIdentity, Status
from medqa_core.runs.store.run_store import RunStore

MAIN = Path(__file__).parents[2] / "pages" / "main.py"
PAGES = tuple(
    f"{name}/{name}.py" for name in ("summary", "loss_curves", "metrics", "answers", "data", "compare", "ask")
)
WHEN = datetime(2026, 11, 22, 20, 10, tzinfo=UTC)
HOSTILE = (
    '<img src=x onerror="alert(1)"> :red[boo] $x^2$ [a](javascript:alert(1)) `tick` **bold** :smile: www.evil.test'
)


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty run store that the app reads."""
    folder = tmp_path / "reports"
    folder.mkdir()
    monkeypatch.setenv("MEDQA_REPORTS", str(folder))
    monkeypatch.delenv("MEDQA_MEDQUAD", raising=False)
    return folder


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    yield
    st.cache_resource.clear()


@pytest.fixture
def open_page(reports: Path) -> Callable[..., AppTest]:
    """Open a page as a visitor does, through the shell; `address` is the query."""

    def go(page: str, /, **address: str) -> AppTest:
        app = AppTest.from_file(MAIN, default_timeout=20)
        for name, value in address.items():
            app.query_params[name] = value
        return app.switch_page(page).run()

    return go


@pytest.fixture
def build(reports: Path) -> "Builder":
    return Builder(reports)


class Builder:
    """Writes run folders."""

    def __init__(self, reports: Path) -> None:
        self.reports = reports
        self.store = RunStore(reports)

    def finished(
        self, run_id: str = "finished", *, questions: int = 24, title: str = "SmolLM2-135M on MedQuAD"
    ) -> Path:
        folder = self._start(run_id, title, 3)
        self._status(
            folder, state="completed", step=60, total_steps=60, epoch=2.0, best=Best(step=60, validation_loss=1.8034)
        )
        self._curve(folder, 60)
        write_json(folder / "evaluation.json", evaluation(questions).model_dump(mode="json"))
        write_predictions(folder, predictions(questions))
        write_json(folder / "mmlu_results" / "results.json", mmlu())
        (folder / "adapter").mkdir()
        (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"")
        return folder

    def running(self, run_id: str = "running", *, state: str = "running") -> Path:
        folder = self._start(run_id, "Still going", 4)
        alive = ProcessIdentity.current()
        self._status(folder, state=state, step=12, total_steps=60, epoch=0.4, stage="training", process=alive)
        self._curve(folder, 12)
        return folder

    def lost(self, run_id: str = "lost") -> Path:
        folder = self.running(run_id)
        gone = ProcessIdentity(pid=2**22 - 1, created=1.0, boot="another")
        self._status(folder, state="running", step=12, total_steps=60, epoch=0.4, process=gone)
        return folder

    def failed(self, run_id: str = "failed") -> Path:
        folder = self._start(run_id, "It failed", 5)
        self._status(folder, state="failed", step=7, total_steps=60, error="The disk is full.")
        return folder

    def imported(self, run_id: str = "run-2") -> Path:
        record = RunRecord(
            id=run_id,
            number=2,
            title="DistilGPT-2 on MedQuAD",
            description="Fine-tune DistilGPT-2 to answer medical questions.",
            kind="imported",
            created_at=datetime(2025, 10, 11, 17, 40, tzinfo=UTC),
            base_model=BaseModelRecord(id="distilbert/distilgpt2", parameters=81_912_576),
            data=DataRecord(source="MedQuAD", split=SplitSizes(train=3500, validation=750, test=750)),
            imported=ImportRecord(
                format="summary",
                source="run-2-summary.txt",
                figures={
                    "test_loss": 2.0423,
                    "perplexity": 7.71,
                    "rougeL": 0.1652,
                    "train_minutes": 81.79,
                    "epochs": 8,
                },
                sections={"KEY INSIGHTS": ["Model converged successfully"]},
                missing=["loss curve", "base figures", "answers"],
                checks=[Check(name="perplexity = exp(loss)", passed=True, detail="exp(2.0423) = 7.708")],
            ),
        )
        return self.store.create(record).folder

    def broken(self, run_id: str = "broken") -> Path:
        folder = self.reports / run_id
        folder.mkdir()
        write_text(folder / "run.json", '{"schema_version": 1, "id": "broken", ')
        return folder

    def torn(self, run_id: str = "torn") -> Path:
        """Its run.json opens; everything else is damaged."""
        folder = self.finished(run_id)
        write_text(folder / "evaluation.json", '{"schema_version": 1, "metrics": {"loss": {"base": NaN}}}')
        (folder / "predictions.parquet").write_bytes(b"PAR1 not really")
        (folder / "status.json").write_bytes(b"\xff\xfe\x00")
        (folder / "mmlu_results" / "results.json").write_text("[]")
        with open(folder / "metrics.jsonl", "ab") as file:
            file.write(b'{"step": 61, "spl')
        return folder

    def _start(self, run_id: str, title: str, number: int) -> Path:
        config = TrainConfig(title="Fine-tune", dataset="starter", lora_rank=8)
        record = RunRecord(
            id=run_id,
            number=number,
            title=title,
            description="See what a small fine-tune changes.",
            kind="finetune",
            created_at=WHEN + timedelta(minutes=number),
            config=config,
            base_model=BaseModelRecord(id="smollm2-135m-instruct", parameters=134_515_008),
            data=DataRecord(source="MedQuAD", split=SplitSizes(train=500, validation=60, test=24), split_hash="0" * 64),
            environment=EnvironmentRecord(device="cpu", threads=2, python="3.11", torch="2.13.0"),
        )
        return self.store.create(record).folder

    def _status(self, folder: Path, **values: object) -> None:
        status = Status.model_validate(
            {"started_at": WHEN, "heartbeat": WHEN, "train_seconds": 4900.0} | {k: _plain(v) for k, v in values.items()}
        )
        write_json(folder / "status.json", status.model_dump(mode="json"))

    def _curve(self, folder: Path, steps: int) -> None:
        rng = np.random.default_rng(1)
        writer = MetricsLogWriter(folder / "metrics.jsonl")
        for step in range(1, steps + 1):
            loss = 1.75 + 0.7 * math.exp(-step / 12) + rng.normal(0, 0.06)
            rate = 2e-3 * min(1.0, step / 10)
            writer.append(
                "train", step=step, epoch=step / 30, loss=loss, learning_rate=rate, grad_norm=1 + rng.random()
            )
            if step % 10 == 0:
                writer.append("validation", step=step, epoch=step / 30, loss=1.8 + 0.5 * math.exp(-step / 12))
        writer.close()


def evaluation(questions: int) -> Evaluation:
    def metric(base: float, tuned: float, spread: float, verdict: str, p: float) -> Metric:
        d = tuned - base
        return Metric.model_validate(
            {
                "base": base,
                "fine_tuned": tuned,
                "difference": d,
                "ci": (d - spread, d + spread),
                "level": 0.95,
                "p": p,
                "n": questions,
                "groups": questions - 2,
                "verdict": verdict,
            }
        )

    metrics = {
        "loss": metric(2.4312, 1.8406, 0.06, "better", 0.0004),
        "perplexity": metric(11.37, 6.3, 0.7, "better", 0.0004),
        "bits_per_byte": metric(0.861, 0.652, 0.02, "better", 0.0004),
        "rouge1": metric(0.211, 0.262, 0.031, "better", 0.002),
        "rouge2": metric(0.051, 0.066, 0.012, "better", 0.03),
        "rougeL": metric(0.151, 0.208, 0.022, "better", 0.0004),
        "mmlu": metric(0.262, 0.259, 0.03, "cannot tell", 0.84),
    }
    types = {kind: {"loss": metric(2.4, 1.9, 0.1, "better", 0.01)} for kind in ("symptoms", "treatment")}
    made = {"mean_tokens": 90.0, "length_ratio": 0.7, "seconds": 300.0}
    return Evaluation.model_validate(
        {
            "primary_metric": "loss",
            "metrics": metrics,
            "by_question_type": types,
            "base_generation": Generation(empty_share=0.0, prompt="chat template", **made),
            "fine_tuned_generation": Generation(empty_share=0.04, prompt="plain", **made),
            "protocol": {"decoding": {"max_new_tokens": 128, "engine": "CTranslate2 4"}, "rouge": {}},
        }
    )


def predictions(questions: int) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    kinds, sources = ["symptoms", "treatment", "causes"], ["starter"]
    rows = {
        "question_id": [f"q{n:03d}" for n in range(questions)],
        "group_id": [f"g{n // 2:03d}" for n in range(questions)],
        "question_type": [kinds[n % 3] for n in range(questions)],
        "source": [sources[0]] * questions,
        "base_answer": [HOSTILE if n == 0 else f"The base answer number {n} is short." for n in range(questions)],
        "fine_tuned_answer": ["" if n == 1 else f"The tuned answer number {n} is longer." for n in range(questions)],
        "reference_tokens": [100 + n for n in range(questions)],
        "reference_bytes": [450 + n for n in range(questions)],
        "train_overlap": [0.1 * (n % 4) for n in range(questions)],
    }
    for variant, lift in (("base", 0.0), ("fine_tuned", 0.05)):
        rows[f"{variant}_loss"] = 2.3 - 8 * lift + rng.normal(0, 0.2, questions)
        for rouge in ("rouge1", "rouge2", "rougeL"):
            rows[f"{variant}_{rouge}"] = np.clip(0.15 + lift + rng.normal(0, 0.05, questions), 0, 1)
        rows[f"{variant}_answer_tokens"] = rng.integers(20, 120, questions)
    return pd.DataFrame(rows).reindex(columns=SCHEMA.names)


def mmlu() -> dict[str, object]:
    def variant(accuracy: float) -> dict[str, object]:
        tasks = {
            f"mmlu_{name}": {"acc,none": accuracy + 0.01 * n, "acc_stderr,none": 0.03} for n, name in enumerate(SUBSETS)
        }
        return {"results": tasks, "n-samples": {name: {"original": 180, "effective": 180} for name in tasks}}

    return {"base": variant(0.24), "fine_tuned": variant(0.25)}


def _plain(value: object) -> object:
    return value.model_dump(mode="json") if isinstance(value, Best | ProcessIdentity) else value
