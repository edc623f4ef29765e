"""A sentence about a run together with what it rests on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from medqa_core.report.facts import Facts


@dataclass(frozen=True)
class Insight:
    """One thing that a run shows. Its texts are final: whoever needs a value takes it from the views."""

    kind: str
    """The predicate's name."""
    sentence: str
    evidence: tuple[str, ...]
    """The rows it rests on: file, row, value."""
    effect: str
    """How large it is."""
    false_if: str
    """What the data would have to show for the sentence to be wrong."""
    subject: str = ""
    """What it is about where one rule speaks of several: a metric, a model, a check."""

    @property
    def rule(self) -> str:
        """The predicate's name with what it is about; unique among the insights of a run that say different things."""
        return f"{self.kind}:{self.subject}" if self.subject else self.kind


Rule = Callable[[Facts], Iterator[Insight]]


def apply(rules: tuple[Rule, ...], facts: Facts) -> list[Insight]:
    """Everything the rules say about a run, in the rules' order."""
    return [insight for rule in rules for insight in rule(facts)]
