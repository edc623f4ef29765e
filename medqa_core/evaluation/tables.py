"""From one row per test question to judged metrics: over all questions, by type, by source, and without overlap."""

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from medqa_core.evaluation.judge import Array, Item, Paired, judge_all
from medqa_core.evaluation.mcnemar import judge_choices
from medqa_core.evaluation.rule import LEVEL, with_p
from medqa_core.runs.schema.evaluation import Metric, MetricName, holm

MIN_QUESTIONS = 10
"""Question types and sources with fewer test questions are not judged on their own."""

SCORES: tuple[MetricName, ...] = ("rouge1", "rouge2", "rougeL", "token_f1")
"""Metrics that are a mean over questions."""

OTHERWISE = 5
"""How many times stricter the secondary metrics are judged where the primary one shows nothing."""

Metrics = dict[MetricName, Metric]


@dataclass(frozen=True)
class Judged:
    """Every verdict of an evaluation, in the form of `runs.schema.evaluation.Evaluation`."""

    metrics: Metrics
    """Over all questions."""
    by_question_type: dict[str, Metrics] = field(default_factory=dict)
    by_source: dict[str, Metrics] = field(default_factory=dict)
    clean: Metrics = field(default_factory=dict)
    """Over the questions whose reference shares no 13-gram with a training answer."""


def judged(rows: pd.DataFrame | None, primary: MetricName, mmlu: pd.DataFrame | None = None) -> Judged:
    """Every metric over all rows and over parts of them; what cannot be judged says why in its `reason`.

    Several tests find something by chance more often than one does. So the p-values are corrected (Holm, "A simple
    sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979): over all questions and
    over the clean ones, those of every metric but the primary one, more strictly where that shows nothing; by type and
    by source, each metric's across the parts, which `Evaluation.by_question_type_correction` tells readers.

    Args:
        rows: the columns of `runs.artifacts.predictions.SCHEMA`, any of them absent or null; None where no answers
            were measured, only MMLU.
        primary: the metric that decides; perplexity is a function of the loss and shares its p-value.
        mmlu: one row per question with `target`, `base_choice` and `fine_tuned_choice`.
    """
    choices: Metrics = {} if mmlu is None else {"mmlu": judge_choices(mmlu)}
    if rows is None:
        return Judged(_corrected(choices, primary))
    clean = rows[_numbers(rows, "train_overlap") == 0]
    return Judged(
        metrics=_corrected({**_judged(rows), **choices}, primary),
        by_question_type=_by(rows, "question_type"),
        by_source=_by(rows, "source"),
        clean=_corrected(_judged(clean), primary),
    )


def _judged(rows: pd.DataFrame) -> Metrics:
    tokens, size = _numbers(rows, "reference_tokens"), _numbers(rows, "reference_bytes")
    with np.errstate(invalid="ignore"):  # an infinite loss over no token
        nats = {variant: _numbers(rows, f"{variant}_loss") * tokens for variant in ("base", "fine_tuned")}
    # Questions without a group, as of a file that lacks the column, count as one topic: nothing is known of them.
    groups = rows["group_id"].astype(str).tolist() if "group_id" in rows else [""] * len(rows)

    def losses(weight: Array) -> Paired:
        return Paired.of(nats["base"], nats["fine_tuned"], weight, groups)  # type: ignore[arg-type]

    def score(name: str) -> Paired:
        base, tuned = _numbers(rows, f"base_{name}"), _numbers(rows, f"fine_tuned_{name}")
        return Paired.of(base, tuned, np.ones(len(rows)), groups)  # type: ignore[arg-type]

    items: dict[MetricName, Item] = {
        "loss": Item("loss", losses(tokens)),
        "perplexity": Item("perplexity", losses(tokens), np.exp),
        "bits_per_byte": Item("bits_per_byte", losses(size), lambda nats: nats / math.log(2)),
        **{name: Item(name, score(name)) for name in SCORES},
    }
    return dict(zip(items, judge_all(list(items.values())), strict=True))


def _numbers(rows: pd.DataFrame, column: str) -> Array:
    """A column as numbers; NaN for what is null, absent or no number."""
    if column not in rows:
        return np.full(len(rows), np.nan)
    numbers: Array = pd.to_numeric(rows[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


def _by(rows: pd.DataFrame, column: str) -> dict[str, Metrics]:
    """The metrics of each part with enough questions, corrected for the number of parts.

    Nothing where one part is all there is: it would be judged twice, and once without the other metrics' correction.
    """
    if column not in rows or rows[column].nunique() < 2:
        return {}
    parts = rows.groupby(rows[column].astype(object), sort=True)
    return _corrected_across({str(kind): _judged(part) for kind, part in parts if len(part) >= MIN_QUESTIONS})


def _corrected(metrics: Metrics, primary: MetricName) -> Metrics:
    """The primary metric as it is; Holm over the others, at 5% where the primary one was found, else at 1%.

    Each at 5% by itself, primary and secondary metrics would together find something false in up to 10% of all
    evaluations; so it is at most 6%. As p-values: the larger of Holm's and the primary's, or five times Holm's where
    that is less (the fallback procedure: Wiens, Pharmaceutical Statistics 2, 2003; Bretz et al., Statistics in
    Medicine 28, 2009). Perplexity is the loss on another scale: one test, not two.
    """
    tests = {name: m.p for name, m in metrics.items() if m.p is not None and name not in (primary, "perplexity")}
    adjusted, count = holm(tests), float(len(tests))  # type: ignore[arg-type]
    first = metrics[primary].p if primary in metrics else None
    if first is not None:
        adjusted = {name: min(1.0, OTHERWISE * p, max(p, first)) for name, p in adjusted.items()}
        count *= OTHERWISE if first > 1 - LEVEL else 1
    free = {primary}  # of a correction
    if "loss" in metrics and metrics["loss"].p is not None:
        adjusted["perplexity"] = adjusted.get("loss", metrics["loss"].p)
        free |= {"perplexity"} if primary == "loss" else set()
    return {n: with_p(n, m, adjusted[n], 1 if n in free else count) if n in adjusted else m for n, m in metrics.items()}


def _corrected_across(by_part: dict[str, Metrics]) -> dict[str, Metrics]:
    """Holm over the parts, metric by metric; perplexity's p-values are the loss's here too."""
    corrected = {part: dict(metrics) for part, metrics in by_part.items()}
    for name in {name for metrics in by_part.values() for name in metrics}:
        source: MetricName = "loss" if name == "perplexity" else name
        p_values = {part: metrics[source].p for part, metrics in by_part.items() if metrics[source].p is not None}
        for part, p in holm(p_values).items():  # type: ignore[arg-type]
            corrected[part][name] = with_p(name, by_part[part][name], p, len(p_values))
    return corrected
