"""How well emergencies are told, on questions that were written to test it: what the page says is computed here."""

from dataclasses import dataclass
from functools import cache

from scipy.stats import binomtest

from medqa_core.answering.emergency.questions import LabelledQuestion, Language, labelled_questions
from medqa_core.answering.emergency.screen import THRESHOLD, probabilities


@dataclass(frozen=True)
class Rate:
    """So many of so many, with the 95% score interval (Wilson 1927)."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """0 to 1."""
        return self.count / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """The interval's ends, 0 to 1."""
        found = binomtest(self.count, self.of).proportion_ci(0.95, method="wilson")
        return float(found.low), float(found.high)


@dataclass(frozen=True)
class ScreenQuality:
    """Of the emergencies, how many are found; of the other questions, how many are taken for one."""

    recall: Rate
    false_alarms: Rate


@cache
def screen_quality(language: Language | None = None) -> ScreenQuality:
    """The quality on the test part, from which nothing was learnt; on one language of it where that is given."""
    tested = [one for one in _tested() if language in (None, one[0].language)]
    return ScreenQuality(
        recall=_rate([referred for question, referred in tested if question.emergency]),
        false_alarms=_rate([referred for question, referred in tested if not question.emergency]),
    )


@cache
def _tested() -> list[tuple[LabelledQuestion, bool]]:
    """The questions of the test part, each with whether it is referred."""
    written = labelled_questions("test")
    found = probabilities([question.text for question in written])
    return [(question, value >= THRESHOLD) for question, value in zip(written, found, strict=True)]


def _rate(referred: list[bool]) -> Rate:
    return Rate(sum(referred), len(referred))
