"""Answers became longer or shorter: what that has to do with the scores, which reward length."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from medqa_core.foundation.format import listing, number, p_value, percent, plural
from medqa_core.report.facts import Facts
from medqa_core.report.rules.insight import Insight
from medqa_core.report.statistics.trends import Test, paired, together
from medqa_core.report.views.metric import MetricView, one
from medqa_core.report.wording.metric import change_text

LENGTH_MOVED = 0.1
"""Smallest relative change in length worth a sentence."""
SCORES = ("rougeL", "token_f1")
"""Scores of wording, which reward length."""
SAID = {"worse": "is worse", "equivalent": "is about the same", "cannot tell": "did not change measurably"}


@dataclass(frozen=True)
class _Moved:
    """By how much the answers' length moved, and the test behind it; None where there are no lengths by question."""

    before: float
    after: float
    test: Test | None

    @property
    def word(self) -> str:
        return "longer" if self.after > self.before else "shorter"

    @property
    def size(self) -> str:
        return f"{number(self.before, 2)} → {number(self.after, 2)} of the reference's length"

    @property
    def evidence(self) -> tuple[str, ...]:
        said = [
            f"evaluation.json, base_generation: length_ratio {number(self.before, 2)}",
            f"evaluation.json, fine_tuned_generation: length_ratio {number(self.after, 2)}",
        ]
        if self.test is not None:
            tested = f"{plural(self.test.n, 'group')}: {p_value(self.test.p)}"
            said.append(f"predictions.parquet, answer_tokens, signed ranks over {tested}")
        return tuple(said)


def length_moved(facts: Facts) -> Iterator[Insight]:
    """Answers became longer or shorter while a score that rewards length became better."""
    moved, better = _moved(facts), _by_verdict(facts, better=True)
    if moved is None or not better:
        return
    score = better[0]
    yield Insight(
        "length_moved",
        f"Fine-tuned answers are {moved.word} ({moved.size}) while {score.label} changed by {change_text(score)}."
        f"{_explains(facts, score)}",
        moved.evidence,
        moved.size,
        f"the lengths differed by less than {percent(LENGTH_MOVED, 0)} or not at p < 0.05, or "
        f"{score.label} was not better",
    )


def length_alone(facts: Facts) -> Iterator[Insight]:
    """Answers became longer or shorter, and no score of their wording became better."""
    moved, others = _moved(facts), _by_verdict(facts, better=False)
    if moved is None or moved.test is None or not others or _by_verdict(facts, better=True):
        return
    said = [f"{score.label} {SAID[score.verdict]} ({change_text(score)})" for score in others]
    worse = next((score for score in others if score.verdict == "worse"), None)
    yield Insight(
        "length_alone",
        f"Answers got {moved.word} ({moved.size}), not measurably better: {listing(said)}."
        f"{_explains(facts, worse) if worse else ''}",
        (*moved.evidence, *(f"evaluation.json, metrics, {score.name}" for score in others)),
        moved.size,
        f"the lengths differed by less than {percent(LENGTH_MOVED, 0)} or not at p < 0.05, or one of these scores "
        "was better",
    )


def _moved(facts: Facts) -> _Moved | None:
    """The change in length; None where it is small, not known, or not significant."""
    if facts.generations is None:
        return None
    before, after = (generation.length_ratio for generation in facts.generations)
    if max(before, after) <= 0 or abs(after - before) / max(before, after) < LENGTH_MOVED:
        return None
    tokens = facts.by_group("answer_tokens")
    test = paired(tokens["base"].to_numpy(), tokens["fine_tuned"].to_numpy()) if tokens is not None else None
    if test is not None and (not test.holds or _median_change(tokens) * (after - before) <= 0):
        return None  # a few long answers can move the mean one way and most answers the other
    return _Moved(before, after, test)


def _median_change(tokens: pd.DataFrame | None) -> float:
    return 0.0 if tokens is None else float((tokens["fine_tuned"] - tokens["base"]).median())


def _by_verdict(facts: Facts, *, better: bool) -> list[MetricView]:
    """The compared scores of wording that became better, or those that did not."""
    found = (one(facts, name) for name in SCORES)
    return [score for score in found if score and score.compared and (score.verdict == "better") == better]


def _explains(facts: Facts, score: MetricView) -> str:
    """Whether length and score moved together, question by question and on the whole; empty where that is not told."""
    tokens, scores = facts.by_group("answer_tokens"), facts.by_group(score.name)
    if tokens is None or scores is None:
        return ""
    longer, higher = (frame["fine_tuned"] - frame["base"] for frame in (tokens, scores))
    both = longer.index.intersection(higher.index)
    test = together(longer.loc[both].to_numpy(), higher.loc[both].to_numpy())
    if not test.holds or test.statistic <= 0 or longer.mean() * higher.mean() <= 0:
        return ""
    return (
        f" Where an answer grew more, {score.label} rose more (rank correlation "
        f"{number(test.statistic, 2)}, {p_value(test.p)}), so part of the change goes with length."
    )
