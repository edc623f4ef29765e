"""From one row per test question to judged metrics: over all questions, by type, by source, and without overlap."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from medqa_core.evaluation.content import CONTENT
from medqa_core.evaluation.judge import Array, Item, Paired, judge_all
from medqa_core.evaluation.mcnemar import judge_choices
from medqa_core.evaluation.rule import LEVEL, bits_per_byte, decided, perplexity, with_p
from medqa_core.runs.schema.evaluation import ANSWER_SCORES, Metric, MetricName, holm

MIN_QUESTIONS = 10
"""Question types and sources with fewer test questions are not judged on their own."""

NOWHERE: dict[MetricName, str] = {
    "loss_outside_templates": "No token of a reference that enters the loss is known to lie outside templates.",
    "topic_information": "No test question has another of its kind about another topic.",
    "rougeL_outside_templates": "No reference has a word outside templates and the question's own words.",
    "token_f1_outside_templates": "No reference has a word outside templates and the question's own words.",
    "content_f1": "No reference has a word outside templates, the question's own words and function words.",
    "specifics": "No reference states a gene, a number with a unit or a proper name outside templates.",
}
"""Why a metric is not there, where no question has it."""

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

    Several tests find something by chance more often than one does. So the p-values are corrected, level by level:

    * over all questions those of every metric but the primary one, more strictly where that shows nothing (Holm, "A
      simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979);
    * by type, by source and over the clean questions each metric's across these parts, and none is smaller than the
      metric's over all questions: where the whole shows nothing, no part of it does (Meinshausen, "Hierarchical testing
      of variable importance", Biometrika 95, 2008). So parts add no false verdicts on two models that do not differ.

    Args:
        rows: the columns of `runs.artifacts.predictions.SCHEMA`, any of them absent or null; None where no answers
            were measured, only MMLU.
        primary: the metric that decides.
        mmlu: one row per question with `target`, `base_choice` and `fine_tuned_choice`.
    """
    choices: Metrics = {} if mmlu is None else {"mmlu": judge_choices(mmlu)}
    if rows is None:
        return Judged(_corrected(choices, primary))
    metrics = _corrected({**_judged(rows), **choices}, primary)
    clean = rows[numbers(rows, "train_overlap") == 0]
    return Judged(
        metrics=_with_scales(metrics, rows),
        by_question_type=_by(rows, "question_type", metrics),
        by_source=_by(rows, "source", metrics),
        clean=_with_scales(_below(_corrected(_judged(clean), primary), metrics), clean),
    )


def _judged(rows: pd.DataFrame) -> Metrics:
    """The metrics that are judged for themselves, uncorrected."""
    tokens = numbers(rows, "reference_tokens")
    with np.errstate(invalid="ignore"):  # an infinite loss over no token
        nats = {variant: numbers(rows, f"{variant}_loss") * tokens for variant in ("base", "fine_tuned")}
    # Questions without a group, as of a file that lacks the column, count as one topic: nothing is known of them.
    groups = rows["group_id"].astype(str).tolist() if "group_id" in rows else [""] * len(rows)

    def losses(weight: Array) -> Paired:
        return Paired.of(nats["base"], nats["fine_tuned"], weight, groups)  # type: ignore[arg-type]

    def score(name: MetricName, weight: Array | None = None) -> Item:
        base, tuned = numbers(rows, f"base_{name}"), numbers(rows, f"fine_tuned_{name}")
        return Item(name, paired(name, base, tuned, groups, weight))

    items: dict[MetricName, Item] = {
        "loss": Item("loss", losses(tokens)),
        **{name: score(name) for name in ANSWER_SCORES},
    }
    if np.isfinite(numbers(rows, "reference_words")).any():  # older rows say nothing of these, nor does the table
        items["loss_outside_templates"] = score("loss_outside_templates", numbers(rows, "outside_tokens"))
        items["topic_information"] = score("topic_information", numbers(rows, "other_tokens"))
        items |= {name: score(name) for name in CONTENT}
    found = zip(items, judge_all(list(items.values())), strict=True)
    return {name: _explained(name, metric) for name, metric in found}


def _explained(name: MetricName, metric: Metric) -> Metric:
    """A metric that no question has, with the reason of its own."""
    return metric.model_copy(update={"reason": NOWHERE[name]}) if metric.n == 0 and name in NOWHERE else metric


def paired(name: MetricName, base: Array, tuned: Array, groups: Sequence[str], weight: Array | None = None) -> Paired:
    """Both models' scores on the same questions, each counted once, or as `weight` says.

    Of a score that not every question has (those of CONTENT), a question without either model's is not compared.
    """
    if weight is None:
        optional = name in CONTENT
        weight = np.where(np.isnan(base) & np.isnan(tuned) & optional, 0.0, 1.0)
    with np.errstate(invalid="ignore"):  # an infinite loss over no token
        return Paired.of(base * weight, tuned * weight, weight, groups)  # type: ignore[arg-type]


def judge_family(compared: Sequence[tuple[str, MetricName, Array, Array]], groups: Sequence[str]) -> dict[str, Metrics]:
    """Scores of several columns of answers, judged together: their p-values are corrected as one family (Holm).

    Args:
        compared: a column's name, a metric, and on the same questions the scores of what it is compared with and its
            own. A metric that one of the two has of no question is not compared.
        groups: the questions' topics; whole topics are resampled.

    Returns:
        By column and metric, in the order of `compared`.
    """
    items = {
        (column, name): Item(name, paired(name, theirs, ours, groups))
        for column, name, theirs, ours in compared
        if np.isfinite(theirs).any() and np.isfinite(ours).any()
    }
    judged = dict(zip(items, judge_all(list(items.values())), strict=True))
    adjusted = holm({place: metric.p for place, metric in judged.items() if metric.p is not None})
    found: dict[str, Metrics] = {column: {} for column, *_ in compared}
    for (column, name), metric in judged.items():
        p = adjusted.get((column, name))
        found[column][name] = metric if p is None else with_p(name, metric, p, len(adjusted))
    return found


def _with_scales(metrics: Metrics, rows: pd.DataFrame) -> Metrics:
    """`metrics`, behind the loss the same in other units; its judgement, corrected, is theirs too."""
    loss = metrics["loss"]
    return {"loss": loss, "perplexity": perplexity(loss), "bits_per_byte": _in_bytes(loss, rows), **metrics}


def _in_bytes(loss: Metric, rows: pd.DataFrame) -> Metric:
    tokens, size = numbers(rows, "reference_tokens"), numbers(rows, "reference_bytes")
    losses = [numbers(rows, f"{variant}_loss") for variant in ("base", "fine_tuned")]
    counted = np.isfinite(losses).all(axis=0) & (tokens > 0)
    lacking = counted & ~(size > 0)
    if lacking.any():
        reason = f"The length in bytes is missing of {int(lacking.sum())} of {int(counted.sum())} references."
        return decided("bits_per_byte", Metric(n=int(counted.sum() - lacking.sum())), reason=reason)
    return bits_per_byte(loss, float(tokens[counted].sum()), float(size[counted].sum()))


def numbers(rows: pd.DataFrame, column: str) -> Array:
    """A column as numbers; NaN for what is null, absent or no number."""
    if column not in rows:
        return np.full(len(rows), np.nan)
    found: Array = pd.to_numeric(rows[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return found


def _by(rows: pd.DataFrame, column: str, whole: Metrics) -> dict[str, Metrics]:
    """The metrics of each part with enough questions, corrected for the number of parts.

    Nothing where one part is all there is: it would be judged twice, and once without the other metrics' correction.
    """
    if column not in rows or rows[column].nunique() < 2:
        return {}
    parts = {str(kind): part for kind, part in rows.groupby(rows[column].astype(object), sort=True)}
    large = {kind: part for kind, part in parts.items() if len(part) >= MIN_QUESTIONS}
    found = _corrected_across({kind: _judged(part) for kind, part in large.items()})
    return {kind: _with_scales(_below(found[kind], whole), part) for kind, part in large.items()}


def _corrected(metrics: Metrics, primary: MetricName) -> Metrics:
    """The primary metric as it is; Holm over the others, at 5% where the primary one was found, else at 1%.

    Each at 5% by itself, primary and secondary metrics would together find something false in up to 10% of all
    evaluations; so it is at most 6%. As p-values: the larger of Holm's and the primary's, or five times Holm's where
    that is less (the fallback procedure: Wiens, Pharmaceutical Statistics 2, 2003; Bretz et al., Statistics in
    Medicine 28, 2009).
    """
    tests = {name: m.p for name, m in metrics.items() if m.p is not None and name != primary}
    adjusted, count = holm(tests), float(len(tests))
    first = metrics[primary].p if primary in metrics else None
    if first is not None:
        adjusted = {name: min(1.0, OTHERWISE * p, max(p, first)) for name, p in adjusted.items()}
        count *= OTHERWISE if first > 1 - LEVEL else 1
    return {n: with_p(n, m, adjusted[n], count) if n in adjusted else m for n, m in metrics.items()}


def _corrected_across(by_part: dict[str, Metrics]) -> dict[str, Metrics]:
    """Holm over the parts, metric by metric."""
    corrected = {part: dict(metrics) for part, metrics in by_part.items()}
    for name in dict.fromkeys(name for metrics in by_part.values() for name in metrics):
        having = {part: metrics[name] for part, metrics in by_part.items() if name in metrics}
        p_values = {part: metric.p for part, metric in having.items() if metric.p is not None}
        for part, p in holm(p_values).items():
            corrected[part][name] = with_p(name, by_part[part][name], p, len(p_values))
    return corrected


def _below(part: Metrics, whole: Metrics) -> Metrics:
    """`part` with no p-value smaller than that of the same metric over all questions."""
    limited = {}
    for name, metric in part.items():
        found = whole[name].p
        p = metric.p and max(metric.p, 1.0 if found is None else found)
        limited[name] = metric if p is None else decided(name, metric.model_copy(update={"p": p}))
    return limited
