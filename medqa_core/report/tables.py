"""The tables of a write-up: figures, metrics, kinds of question, answers, MMLU subsets."""

from medqa_core.report.blocks import Table
from medqa_core.report.facts import Facts
from medqa_core.report.figures import Figure, figures
from medqa_core.report.format import NOT_STATED, count, duration, number, percent, verdict_mark, words
from medqa_core.report.verdict import METRICS, change_text, is_compared, level_text, supported, value_text
from medqa_core.runs.evaluation import Generation, Metric
from medqa_core.runs.mmlu import SubsetScore

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
    return (
        Table(("Metric", "Base", "Fine-tuned", f"Difference{_level(facts)}", "Questions", "Verdict"), tuple(rows))
        if rows
        else None
    )


def by_question_type(facts: Facts) -> Table | None:
    """The primary metric by kind of question; None where the evaluation has no kinds."""
    if facts.evaluation is None:
        return None
    name = facts.evaluation.primary_metric
    kinds = sorted(facts.evaluation.by_question_type.items())
    rows = [_row(words(kind, 40), name, found[name]) for kind, found in kinds if name in found]
    if not rows:
        return None
    if len(rows) > MOST_ROWS:
        rows = [*rows[:MOST_ROWS], (f"{len(rows) - MOST_ROWS:,} more kinds", "", "", "", "", "")]
    header = (
        f"{METRICS[name].label} by kind",
        "Base",
        "Fine-tuned",
        f"Difference{_level(facts)}",
        "Questions",
        "Verdict",
    )
    return Table(header, tuple(rows))


def generations(facts: Facts) -> Table | None:
    """How the answers came out; None where nothing is known of them."""
    e = facts.evaluation
    if e is None or (e.base_generation is None and e.fine_tuned_generation is None):
        return None
    sides = (e.base_generation, e.fine_tuned_generation)
    rows = (
        ("Empty answers", *(_of(g, "empty_share") for g in sides)),
        ("Mean tokens an answer", *(_of(g, "mean_tokens") for g in sides)),
        ("Length over the reference's", *(_of(g, "length_ratio") for g in sides)),
        ("Time to answer all", *(_of(g, "seconds") for g in sides)),
        ("Prompt", *(words(g.prompt, 60) if g else NOT_STATED for g in sides)),
    )
    return Table(("Answers", "Base", "Fine-tuned"), rows)


def mmlu(facts: Facts) -> Table | None:
    """Accuracy by MMLU subset; None where there are no results."""
    if facts.mmlu is None:
        return None
    base = {score.subset: score for score in facts.mmlu.base or []}
    rows = tuple(
        (score.subset.replace("_", " "), _accuracy(base.get(score.subset)), _accuracy(score), count(score.n))
        for score in facts.mmlu.fine_tuned
    )
    return Table(("MMLU subset", "Base", "Fine-tuned", "Questions"), rows)


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


def _level(facts: Facts) -> str:
    levels = {level_text(metric) for _, metric in facts.metrics if metric.ci is not None}
    return f" [{levels.pop()} interval]" if len(levels) == 1 else ""


def _of(generation: Generation | None, name: str) -> str:
    if generation is None:
        return NOT_STATED
    value = float(getattr(generation, name))
    if name == "empty_share":
        return percent(value)
    return duration(value) if name == "seconds" else number(value, 2 if name == "length_ratio" else 1)


def _accuracy(score: SubsetScore | None) -> str:
    if score is None:
        return NOT_STATED
    return percent(score.accuracy) + (f" ± {percent(score.stderr)} (SE)" if score.stderr is not None else "")
