"""From one row a test question to judged metrics, over all questions and by question type."""

import math

import numpy as np
import pandas as pd

from medqa_core.evaluation.judge import Array, Paired, judge, with_p
from medqa_core.runs.evaluation import Metric, MetricName, holm

MIN_QUESTIONS = 10
"""Question types with fewer test questions are not judged on their own."""

Metrics = dict[MetricName, Metric]


def metrics_of(rows: pd.DataFrame, primary: MetricName) -> tuple[Metrics, dict[str, Metrics]]:
    """Every metric over all rows, p-values of all but the primary one corrected, and the same by question type.

    A question type is one of many that are looked at: each metric's p-values are corrected across the types, which
    `Evaluation.by_question_type_correction` tells readers.

    Args:
        rows: the columns of `runs.predictions.SCHEMA`.
        primary: the metric that decides; perplexity is a function of the loss and shares its p-value.
    """
    overall = _corrected(_judged(rows), primary)
    by_type = {
        str(kind): _judged(part)
        for kind, part in rows.groupby("question_type", sort=True)
        if len(part) >= MIN_QUESTIONS
    }
    return overall, _corrected_across(by_type)


def _judged(rows: pd.DataFrame) -> Metrics:
    tokens = rows["reference_tokens"].to_numpy(float)
    nats = {side: rows[f"{side}_loss"].to_numpy(float) * tokens for side in ("base", "fine_tuned")}
    groups = rows["group_id"].astype(str).tolist()

    def per(weight: Array) -> Paired:
        return Paired.of(nats["base"], nats["fine_tuned"], weight, groups)  # type: ignore[arg-type]

    metrics: Metrics = {
        "loss": judge("loss", per(tokens)),
        "perplexity": judge("perplexity", per(tokens), transform=np.exp),
        "bits_per_byte": judge(
            "bits_per_byte", per(rows["reference_bytes"].to_numpy(float)), transform=lambda nats: nats / math.log(2)
        ),
    }
    ones = np.ones(len(rows))
    names: tuple[MetricName, ...] = ("rouge1", "rouge2", "rougeL")
    for name in names:
        pair = Paired.of(rows[f"base_{name}"], rows[f"fine_tuned_{name}"], ones, groups)  # type: ignore[arg-type]
        metrics[name] = judge(name, pair)
    return metrics


def _corrected(metrics: Metrics, primary: MetricName) -> Metrics:
    """Holm over the other metrics. Perplexity is the loss on another scale: one test, not two."""
    tests = {name: m.p for name, m in metrics.items() if m.p is not None and name not in (primary, "perplexity")}
    adjusted = holm(tests)  # type: ignore[arg-type]
    if "loss" in metrics and metrics["loss"].p is not None:
        adjusted["perplexity"] = adjusted.get("loss", metrics["loss"].p)
    return {n: with_p(n, m, adjusted[n]) if n in adjusted else m for n, m in metrics.items()}


def _corrected_across(by_type: dict[str, Metrics]) -> dict[str, Metrics]:
    """Holm over the question types, metric by metric; perplexity's p-values are the loss's here too."""
    corrected = {kind: dict(metrics) for kind, metrics in by_type.items()}
    for name in {name for metrics in by_type.values() for name in metrics}:
        source = "loss" if name == "perplexity" else name
        p_values = {kind: metrics[source].p for kind, metrics in by_type.items() if metrics[source].p is not None}
        for kind, p in holm(p_values).items():  # type: ignore[arg-type]
            corrected[kind][name] = with_p(name, by_type[kind][name], p)
    return corrected
