"""A sentence about a run together with what it rests on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from medqa_core.report.facts import Facts


@dataclass(frozen=True)
class Insight:
    """One thing that a run shows."""

    rule: str
    """The predicate's name."""
    sentence: str
    evidence: tuple[str, ...]
    """The rows it rests on: file, row, value."""
    effect: str
    """How large it is."""
    false_if: str
    """What the data would have to show for the sentence to be false."""


Rule = Callable[[Facts], Iterator[Insight]]


def apply(rules: tuple[Rule, ...], facts: Facts) -> list[Insight]:
    """Everything the rules say about a run, in the rules' order."""
    return [insight for rule in rules for insight in rule(facts)]
