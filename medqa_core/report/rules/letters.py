"""MMLU's letters: a model that has a favourite one answers by position and not by knowledge."""

from collections.abc import Iterator

import pandas as pd

from medqa_core.foundation.format import count, p_value, percent, plural
from medqa_core.report.facts import Facts
from medqa_core.report.names import MODELS
from medqa_core.report.rules.insight import Insight
from medqa_core.report.statistics.trends import ALPHA, guessing, uneven
from medqa_core.report.views.choices import Choices, choices
from medqa_core.runs.artifacts.mmlu import LETTERS
from medqa_core.runs.schema.evaluation import VARIANTS


def letter_bias(facts: Facts) -> Iterator[Insight]:
    """A model picks one letter more often than a quarter of the time, and more often than it is the right one."""
    answers = facts.mmlu_answers
    for variant in VARIANTS:
        name = MODELS[variant]
        found = choices(answers, variant)
        if answers is None or found is None:
            continue
        spread = uneven(found.picked)
        top = max(range(len(LETTERS)), key=lambda i: found.picked[i])
        against = guessing(found.picked[top], found.n, found.right[top] / found.n)
        # Each of the four letters could have been the favourite, so its p-value counts four times.
        if not spread.holds or len(LETTERS) * against.p >= ALPHA or found.picked[top] * len(LETTERS) <= found.n:
            continue
        yield Insight(
            "letter_bias",
            f"Asked for a letter on MMLU, the {name} model says {LETTERS[top]} on {count(found.picked[top])} of "
            f"{plural(found.n, 'question')}, and it is the right one on {count(found.right[top])}: it is biased "
            f"towards {LETTERS[top]}.{_both(answers, top)} {_accuracy(found)}",
            (
                f"MMLU answers, {name} model: {_counts(found.picked)}",
                f"MMLU answers, correct answers: {_counts(found.right)}",
            ),
            f"{percent(found.picked[top] / found.n)} of the choices (chi-square against equal shares, "
            f"{p_value(spread.p)})",
            "the four letters came about equally often, or the letter was the right one as often as it is picked",
            subject=variant,
        )


def _both(answers: pd.DataFrame, letter: int) -> str:
    """On how many questions both models say that letter, where that is most of them."""
    said = int(answers[[f"{variant}_choice" for variant in VARIANTS]].eq(letter).all(axis=1).sum())
    return f" Both models say it on {count(said)}." if 2 * said > len(answers) else ""


def _accuracy(found: Choices) -> str:
    return (
        f"Its accuracy is {percent(found.accuracy)}; answering {LETTERS[found.best_letter]} every time would be right "
        f"{percent(found.always)} of the time."
    )


def _counts(counts: tuple[int, ...]) -> str:
    return ", ".join(f"{letter} {count(n)}" for letter, n in zip(LETTERS, counts, strict=True))
