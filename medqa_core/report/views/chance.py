"""MMLU against guessing: a model that is not above chance says nothing of what it knows."""

from dataclasses import dataclass

from medqa_core.report.facts import Facts
from medqa_core.report.statistics.trends import guessing
from medqa_core.runs.artifacts.mmlu import CHANCE, above_chance, chance_of, chance_p


@dataclass(frozen=True)
class Accuracy:
    """One model's MMLU accuracy, and the test of it against guessing."""

    share: float
    n: int
    chance: float
    """What guessing gives with the same choices (`chance_of`); a quarter where they are not known."""
    p: float
    """One-sided exact binomial test against that."""

    @property
    def above(self) -> bool:
        """Whether it is significantly above chance."""
        return above_chance(self.p)


def accuracy(facts: Facts, variant: str) -> Accuracy | None:
    """Of `base` or `fine_tuned`; None where it is not known."""
    metric = facts.metric("mmlu")
    share, n = (getattr(metric, variant), metric.n) if metric is not None else (None, None)
    scores = None if facts.mmlu is None else getattr(facts.mmlu, variant)
    if (share is None or not n) and facts.mmlu is not None and scores:
        share, n = facts.mmlu.pooled(scores), sum(score.n or 0 for score in scores)
    if share is None or not n or not 0 <= share <= 1:
        return None
    answers = facts.snapshot.mmlu_answers
    if answers is None or answers[f"{variant}_choice"].isna().all():
        return Accuracy(share, n, CHANCE, guessing(round(share * n), n, CHANCE).p)
    return Accuracy(share, n, chance_of(answers, variant), chance_p(answers, variant))
