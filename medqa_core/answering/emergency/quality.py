"""How well emergencies are told, on questions that were written to test it: what the page says is computed here."""

from dataclasses import dataclass
from functools import cache

from scipy.stats import binomtest

from medqa_core.answering.emergency.questions import Question, questions
from medqa_core.answering.emergency.screen import THRESHOLD, probabilities


@dataclass(frozen=True)
class Share:
    """So many of so many, with the 95% score interval (Wilson 1927)."""

    count: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """The interval's ends, 0 to 1."""
        found = binomtest(self.count, self.of).proportion_ci(0.95, method="wilson")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.count / self.of:.1%} ({self.count} of {self.of}; 95% interval {low:.1%} to {high:.1%})"


@dataclass(frozen=True)
class Quality:
    """What is found, and what is taken for an emergency although it is none."""

    recall: Share
    false_alarms: Share

    @property
    def sentence(self) -> str:
        """Both, in plain words."""
        total = self.recall.of + self.false_alarms.of
        return (
            f"On {total:,} questions written to test it, from which it did not learn, it found {self.recall} of the "
            f"emergencies and gave a needless referral to {self.false_alarms} of the others."
        )


@cache
def measured() -> Quality:
    """The quality on the test part."""
    written = questions("test")
    return Quality(_referred([q for q in written if q.emergency]), _referred([q for q in written if not q.emergency]))


def _referred(written: list[Question]) -> Share:
    found = probabilities([question.text for question in written])
    return Share(sum(value >= THRESHOLD for value in found), len(written))
