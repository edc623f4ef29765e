"""Answers that repeat themselves, more or less than the base model's do."""

from collections.abc import Iterator

from medqa_core.foundation.format import p_value, percent, plural
from medqa_core.report.facts import Facts
from medqa_core.report.rules.insight import Insight
from medqa_core.report.statistics.trends import paired

MOVED = 0.01
"""Smallest difference of the mean shares worth a sentence."""


def repeats(facts: Facts) -> Iterator[Insight]:
    """The share of an answer's 4-word runs that it had used before; nothing where the models cannot be told apart."""
    groups, frame = facts.by_group("repetition"), facts.pairs("repetition")
    if groups is None or frame is None:
        return
    test = paired(groups["base"].to_numpy(), groups["fine_tuned"].to_numpy())
    base, tuned = float(frame["base"].mean()), float(frame["fine_tuned"].mean())
    middle = float((groups["fine_tuned"] - groups["base"]).mean())
    if not test.holds or abs(tuned - base) < MOVED or (middle > 0) != (tuned > base):
        return
    word = "more" if tuned > base else "less"
    yield Insight(
        f"repeats_{word}",
        f"Fine-tuned answers repeat themselves {word} than the base model's: {percent(tuned)} of an answer's runs of "
        f"four words stood in it before, on average, against {percent(base)} ({plural(len(frame), 'question')}).",
        (
            f"predictions.parquet, columns *_repetition: {plural(len(frame), 'row')} in {plural(test.n, 'group')}, "
            f"means {percent(base)} and {percent(tuned)}",
        ),
        f"{percent(base)} → {percent(tuned)} (signed ranks over groups, {p_value(test.p)})",
        f"the signed-rank test gave p of 0.05 or more, or the means differed by less than {percent(MOVED, 0)}",
    )
