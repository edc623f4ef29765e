"""The top of a write-up in words: its title line, the four figures, the limits in one line."""

from dataclasses import dataclass

from medqa_core.foundation.format import date, words
from medqa_core.report.facts import Facts
from medqa_core.report.insights import Insight
from medqa_core.report.names import METRICS, verdict_mark
from medqa_core.report.views.headline import Headline
from medqa_core.report.wording.metric import change_text, value_text
from medqa_core.runs.run import Run

NOTE = "Research demo, not medical advice."
SHORT: dict[str, str] = {
    "not_finished": "unfinished run",
    "damaged": "a damaged file",
    "no_evaluation": "not evaluated",
    "unreadable_evaluation": "an evaluation that cannot be read",
    "no_base_figures": "no base figures",
    "no_mmlu": "no MMLU result",
    "mmlu_at_chance": "MMLU at chance",
    "mmlu_fell_to_chance": "MMLU fell to chance",
    "older_rule": "judged by an older rule",
    "no_predictions": "no data by question",
    "rouge_is_overlap": "ROUGE is overlap, not correctness",
    "leaks_into_test": "test topics known from training",
    "leaks_unknown": "training data not known, so leaks cannot be excluded",
    "few_validations": "too few validations for a trend",
    "left_out": "a source that leaves things out",
    "starter_text": "unreviewed demo text",
    "training_size": "a small training set",
    "truncated": "truncated examples",
    "one_seed": "one seed",
}
"""A limitation in a few words, by its rule."""


@dataclass(frozen=True)
class HeadlineText:
    """One of the four figures in words; what is not known is None, what was not compared is empty."""

    base: str | None
    fine_tuned: str | None
    change: str = ""
    """With its interval."""
    verdict: str = ""
    """With its sign."""


def headline_text(headline: Headline) -> HeadlineText:
    """A figure's values, its difference and its verdict."""
    metric = headline.metric
    if not headline.compared:
        base = None if metric.base is None else value_text(metric.name, metric.base)
        return HeadlineText(base, None if headline.figure.value is None else headline.figure.text)
    return HeadlineText(
        value_text(metric.name, metric.base),
        value_text(metric.name, metric.fine_tuned),
        "" if metric.difference is None else change_text(metric),
        verdict_mark(metric.verdict),
    )


def title(run: Run | Facts) -> str:
    """`Run #2 · DistilGPT-2 on MedQuAD · 2025-10-11`."""
    facts = Facts.of(run)
    record = facts.record
    name = f"Run #{record.number}" if record.number is not None else f"Run {facts.run.id}"
    return f"{name} · {words(record.title, 120) or 'untitled'} · {date(record.created_at)}"


def limits_line(limits: list[Insight]) -> str:
    """The limits in one line."""
    kinds = dict.fromkeys(limit.kind for limit in limits)
    parts = [SHORT[kind] for kind in kinds if kind in SHORT]
    unclear = [METRICS[limit.subject].label for limit in limits if limit.kind == "cannot_tell"]
    parts = [f"inconclusive on {', '.join(unclear)}"] * bool(unclear) + parts
    return f"Limits: {'; '.join(parts)}. {NOTE}" if parts else NOTE
