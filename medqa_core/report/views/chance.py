"""MMLU against guessing: a model that is not above chance says nothing of what it knows."""

from dataclasses import dataclass

from medqa_core.report.facts import Facts
from medqa_core.report.statistics.trends import Test, guessing
from medqa_core.runs.artifacts.mmlu import CHANCE


@dataclass(frozen=True)
class Accuracy:
    """One model's MMLU accuracy, and the test of it against guessing."""

    share: float
    n: int
    test: Test


def accuracy(facts: Facts, variant: str) -> Accuracy | None:
    """Of `base` or `fine_tuned`; None where it is not known."""
    metric = facts.metric("mmlu")
    share, n = (getattr(metric, variant), metric.n) if metric is not None else (None, None)
    scores = None if facts.mmlu is None else getattr(facts.mmlu, variant)
    if (share is None or not n) and facts.mmlu is not None and scores:
        share, n = facts.mmlu.pooled(scores), sum(score.n or 0 for score in scores)
    if share is None or not n or not 0 <= share <= 1:
        return None
    return Accuracy(share, n, guessing(round(share * n), n, CHANCE))
