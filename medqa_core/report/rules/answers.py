"""What the answers show: the empty ones, the questions that improved or regressed, what training had already seen."""

from collections.abc import Iterator

import numpy as np

from medqa_core.foundation.format import number, p_value, percent, plural
from medqa_core.report.facts import Facts
from medqa_core.report.names import MODELS
from medqa_core.report.rules.insight import Insight
from medqa_core.report.statistics.trends import sign

SAME_ANSWERS = 0.05
"""Smallest share of identical answers worth a sentence."""


def empty_answers(facts: Facts) -> Iterator[Insight]:
    """A model gave no answer at all to some questions."""
    if facts.evaluation is None:
        return
    variants = (
        (MODELS["base"], "base_generation", facts.evaluation.base_generation),
        (MODELS["fine_tuned"], "fine_tuned_generation", facts.evaluation.fine_tuned_generation),
    )
    for variant, field, generation in variants:
        if generation is not None and generation.empty_share > 0:
            share = percent(generation.empty_share)
            yield Insight(
                "empty_answers",
                f"The {variant} model answered nothing to {share} of the questions.",
                (f"evaluation.json, {field}: empty_share {number(generation.empty_share)}",),
                share,
                f"every answer of the {variant} model held at least one word",
                subject=variant,
            )


def flips(facts: Facts) -> Iterator[Insight]:
    """Questions on which ROUGE-L rose and fell, questions of one group counted once in the test."""
    frame = facts.pairs("rougeL")
    if frame is None or len(frame) < 2:
        return
    change = (frame["fine_tuned"] - frame["base"]).to_numpy()
    won, lost = int((change > 0).sum()), int((change < 0).sum())
    groups = frame.assign(change=change).groupby("group_id", sort=True)["change"].mean().to_numpy()
    test = sign(int((groups > 0).sum()), int((groups < 0).sum()))
    told = test.holds and (won - lost) * test.statistic > 0  # questions and groups can point different ways
    more = "more often higher than lower" if test.statistic > 0 else "more often lower than higher"
    said = more if told else "neither is significantly more frequent than chance allows"
    yield Insight(
        "flips",
        f"Question by question, ROUGE-L is higher after fine-tuning on {won:,}, lower on {lost:,} and the same on "
        f"{len(change) - won - lost:,} of {len(change):,}: {said}.",
        (f"predictions.parquet, {plural(len(change), 'row')} in {plural(len(groups), 'group')}, columns *_rougeL",),
        f"{won:,} to {lost:,} (sign test over groups, {p_value(test.p)})",
        f"the sign test gave p {'of 0.05 or more' if told else 'below 0.05'}",
    )


def identical_answers(facts: Facts) -> Iterator[Insight]:
    """Both models gave the same answer, word for word."""
    if facts.predictions is None:
        return
    both = facts.predictions[["base_answer", "fine_tuned_answer"]].dropna()
    same = int((both["base_answer"] == both["fine_tuned_answer"]).sum())
    if not len(both) or same / len(both) < SAME_ANSWERS:
        return
    yield Insight(
        "identical_answers",
        f"Both models gave the same answer, word for word, to {same:,} of {plural(len(both), 'question')}.",
        (f"predictions.parquet, {plural(same, 'row')} with base_answer equal to fine_tuned_answer",),
        percent(same / len(both)),
        f"fewer than {percent(SAME_ANSWERS, 0)} of the answers were the same",
    )


def training_overlap(facts: Facts) -> Iterator[Insight]:
    """Reference answers of test questions that can be found word for word in the training answers, or none."""
    shares = overlap_shares(facts)
    if not len(shares):
        return
    some = int((shares > 0).sum())
    checked = f"{plural(len(shares), 'test reference')}"
    if some:
        sentence = (
            f"{some:,} of {checked} have a 13-word overlap with the training answers "
            f"({percent(float(shares.mean()))} of theirs on average): figures on those may be too good."
        )
    else:
        sentence = f"None of {checked} has a 13-word overlap with the training answers."
    yield Insight(
        "training_overlap" if some else "no_training_overlap",
        sentence,
        (f"predictions.parquet, column train_overlap: {some:,} of {len(shares):,} above zero",),
        percent(some / len(shares)),
        "no row had a train_overlap above zero" if some else "a row had a train_overlap above zero",
    )


def overlap_shares(facts: Facts) -> np.ndarray:
    """The finite values of the column train_overlap."""
    if facts.predictions is None:
        return np.array([])
    values = facts.predictions["train_overlap"].to_numpy(dtype=np.float64, na_value=np.nan)
    finite: np.ndarray = values[np.isfinite(values)]
    return finite
