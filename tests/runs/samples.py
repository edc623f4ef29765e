"""Run folders for the tests, written with the program's own writers."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from medqa_core.foundation.files import write_json, write_text
from medqa_core.runs.artifacts.predictions import SCHEMA, write_predictions
from medqa_core.runs.metrics_log.log import MetricsLogWriter
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Evaluation, Metric
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.record import BaseModelRecord, DataRecord, RunRecord, SplitSizes
from medqa_core.runs.schema.status import Status
from medqa_core.runs.store.run_store import RunStore

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def record(run_id: str = "good", **changes: Any) -> RunRecord:
    """A run.json of a fine-tune."""
    values: dict[str, Any] = {
        "id": run_id,
        "number": 7,
        "title": "A good run",
        "kind": "finetune",
        "created_at": WHEN,
        "config": from_preset("smoke"),
        "base_model": BaseModelRecord(id="toy"),
        "data": DataRecord(source="starter", split=SplitSizes(train=48, validation=12, test=12)),
    }
    return RunRecord(**(values | changes))


def lm_eval(accuracy: float = 0.26, n: int | None = 100) -> dict[str, Any]:
    """A results.json of lm-evaluation-harness for one subset."""
    value: dict[str, Any] = {
        "results": {"mmlu_medical_genetics": {"alias": "mg", "acc,none": accuracy, "acc_stderr,none": 0.0440844}},
        "n-shot": {"mmlu_medical_genetics": 5},
        "config": {"model": "hf", "model_args": "pretrained=someone/small", "random_seed": 0},
        "model_name": "someone/small",
        "date": 1772600767.5,
        "lm_eval_version": "0.4.13",
    }
    if n is not None:
        value["n-samples"] = {"mmlu_medical_genetics": {"original": n, "effective": n}}
    return value


def predictions(n: int = 3) -> pd.DataFrame:
    """Rows of predictions.parquet."""
    rows = []
    for i in range(n):
        row: dict[str, Any] = {name: f"{name} {i}" for name in ("question_id", "group_id", "question_type", "source")}
        for variant in ("base", "fine_tuned"):
            row |= {f"{variant}_answer": "Rest.", f"{variant}_loss": 2.0 + i, f"{variant}_answer_tokens": 2}
            row |= {f"{variant}_{name}": 0.25 for name in ("rouge1", "rouge2", "rougeL")}
        rows.append(row | {"reference_tokens": 9, "reference_bytes": 40, "train_overlap": 0.0})
    return pd.DataFrame(rows, columns=SCHEMA.names)


def good_run(store: RunStore, run_id: str = "good") -> Run:
    """A complete run folder of a finished fine-tune."""
    run = store.create(record(run_id))
    folder = run.folder
    write_json(folder / "status.json", Status(state="completed", step=4, total_steps=4).model_dump(mode="json"))
    writer = MetricsLogWriter(folder / "metrics.jsonl")
    for step in range(1, 5):
        writer.append("train", step=step, epoch=step / 4, attempt=1, loss=3.0 - step / 2, learning_rate=1e-3)
    writer.append("validation", step=4, epoch=1.0, attempt=1, loss=1.5)
    writer.close()
    write_text(folder / "train.log", "started\nended\n")
    metric = Metric(base=2.0, fine_tuned=1.5, difference=-0.5, ci=(-0.6, -0.4), level=0.95, n=12, verdict="better")
    write_json(
        folder / "evaluation.json",
        Evaluation(primary_metric="loss", metrics={"loss": metric}).model_dump(mode="json"),
    )
    write_predictions(folder, predictions())
    write_json(folder / "mmlu_results" / "results.json", {"base": lm_eval(0.25), "fine_tuned": lm_eval(0.26)})
    write_text(folder / "summary.txt", "It helped.\n")
    return run


def rewrite(path: Path, **changes: Any) -> None:
    """Change fields of a JSON file, NaN and all."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def read_everything(run: Run) -> None:
    """Call every reader of a run; none may raise."""
    run.status()
    run.evaluation()
    run.metrics_log()
    run.predictions()
    run.mmlu()
    run.write_up("summary.txt")
    run.log_tail()
    assert run.state()
    assert run.adapter_folder() is None
    assert run.model_folder() is None
    assert all("\n" not in problem for problem in run.snapshot().problems)
