"""The tables of a write-up: figures, metrics, kinds of question, sources, the clean part."""

from collections.abc import Mapping

from medqa_core.foundation.format import NOT_STATED, count, words
from medqa_core.report.blocks import Table
from medqa_core.report.facts import Facts
from medqa_core.report.figures import Figure, figures
from medqa_core.report.names import verdict_mark
from medqa_core.report.verdict import METRICS, change_text, is_compared, level_text, supported, value_text
from medqa_core.runs.schema.evaluation import Metric, MetricName

MOST_ROWS = 40
TRAINING = ("train_minutes", "final_train_loss", "samples_per_second", "steps", "best_validation_loss", "best_step")


def training(facts: Facts) -> Table:
    """The figures of training, each with who says so."""
    found = figures(facts)
    rows = tuple((found[name].label, found[name].text, found[name].origin) for name in TRAINING)
    return Table(("Figure", "Value", "Origin"), rows)


def metrics(facts: Facts) -> Table | None:
    """Base against fine-tuned by metric; None where neither has a figure."""
    found = figures(facts)
    rows = []
    for name in METRICS:
        metric, figure = facts.metric(name), found["test_loss" if name == "loss" else name]
        if metric is not None and (metric.base is not None or metric.fine_tuned is not None):
            rows.append(_row(METRICS[name].label, name, metric, " (reported)" if facts.imported else ""))
        elif figure.value is not None:
            rows.append(_alone(METRICS[name].label, figure))
    return Table(("Metric", *_columns(facts)), tuple(rows)) if rows else None


def by_question_type(facts: Facts) -> Table | None:
    """The primary metric by kind of question; None where the evaluation has no kinds."""
    return None if facts.evaluation is None else _slices(facts, "by kind", facts.evaluation.by_question_type, "kinds")


def by_source(facts: Facts) -> Table | None:
    """The primary metric by where the question comes from; None where the evaluation does not say."""
    return None if facts.evaluation is None else _slices(facts, "by source", facts.evaluation.by_source, "sources")


def clean(facts: Facts) -> Table | None:
    """Every metric on the questions whose reference shares no run of 13 words with training; None if not measured."""
    part = {} if facts.evaluation is None else {str(n): m for n, m in facts.evaluation.clean.items()}
    rows = [_row(METRICS[name].label, name, part[name]) for name in METRICS if name in part]
    return Table(("Clean part", *_columns(facts)), tuple(rows)) if rows else None


def _slices(facts: Facts, title: str, slices: Mapping[str, Mapping[MetricName, Metric]], many: str) -> Table | None:
    name = str(facts.evaluation.primary_metric) if facts.evaluation else ""
    found = [(words(key, 40), m) for key, ms in sorted(slices.items()) for n, m in ms.items() if n == name]
    rows = [_row(label, name, metric) for label, metric in found]
    if not rows:
        return None
    if len(rows) > MOST_ROWS:
        rows = [*rows[:MOST_ROWS], (f"{len(rows) - MOST_ROWS:,} more {many}", "", "", "", "", "")]
    return Table((f"{METRICS[name].label} {title}", *_columns(facts)), tuple(rows))


def _row(label: str, name: str, metric: Metric, mark: str = "") -> tuple[str, ...]:
    compared = is_compared(metric)
    return (
        label,
        value_text(name, metric.base) + mark * (metric.base is not None),
        value_text(name, metric.fine_tuned) + mark * (metric.fine_tuned is not None),
        change_text(name, metric) if metric.difference is not None else NOT_STATED,
        count(metric.n),
        verdict_mark(supported(name, metric)) if compared else "not compared",
    )


def _alone(label: str, figure: Figure) -> tuple[str, ...]:
    return (label, NOT_STATED, f"{figure.text} ({figure.origin})", NOT_STATED, NOT_STATED, "not compared")


def _columns(facts: Facts) -> tuple[str, ...]:
    return ("Base", "Fine-tuned", f"Difference{_level(facts)}", "Questions", "Verdict")


def _level(facts: Facts) -> str:
    levels = {level_text(metric) for _, metric in facts.metrics if metric.ci is not None}
    return f" [{levels.pop()} interval]" if len(levels) == 1 else ""
