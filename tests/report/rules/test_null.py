"""Data in which nothing is to be found: no rule that claims a difference may speak more often than its test allows."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medqa_core.report.facts import Facts
from medqa_core.report.insights import insights
from medqa_core.report.rules import answers, clean, copying, length, letters, repetition
from medqa_core.report.rules.insight import Rule, apply
from medqa_core.report.wording.verdict import sentence
from medqa_core.runs.metrics_log.log import Curve
from medqa_core.runs.schema.evaluation import Evaluation
from tests.support.evaluations import metric
from tests.support.full_run import columns, full, mmlu_answers, swapped
from tests.support.runs import RunBuilder

RULES = (
    copying.copied,
    repetition.repeats,
    length.length_alone,
    letters.letter_bias,
    answers.flips,
    clean.clean_subset,
)
PLANTED = {"copied_more", "repeats_more", "letter_bias:fine_tuned", "clean_holds"}
CLAIMS = {"copied_more", "copied_less", "repeats_more", "repeats_less", "length_alone", "length_moved"} | {
    "letter_bias:fine_tuned",
    "letter_bias:base",
    "clean_holds",
    "clean_fails",
    "flips: direction",
}
DRAWS = 200
MOST = 0.09
"""What p < 0.05 lets through, and the luck of 200 draws."""


@pytest.fixture
def facts(build: RunBuilder) -> Facts:
    """A run with every difference planted, and with scores of wording that did not move with the length."""
    found = Facts.of(full(build))
    flat = metric(0.15, 0.151, 0.05, "cannot tell", p=0.9)
    assert found.evaluation is not None
    changed = found.evaluation.model_dump()
    changed["metrics"]["rougeL"] = flat
    return with_parts(found, evaluation=Evaluation.model_validate(changed))


def with_parts(facts: Facts, **parts: Any) -> Facts:
    """The same facts with other parts of the run's folder."""
    return Facts(replace(facts.snapshot, **parts))


def claims(facts: Facts, rules: tuple[Rule, ...] = RULES) -> set[str]:
    """The rules that claim something."""
    said = [i.rule if i.rule != "flips" or "neither" in i.sentence else "flips: direction" for i in apply(rules, facts)]
    return set(said) & CLAIMS


def test_planted_differences_are_claimed(facts: Facts) -> None:
    assert claims(facts) >= PLANTED | {"length_alone", "flips: direction"}


def test_exchanged_models_are_claimed_to_differ_no_more_often_than_the_tests_allow(facts: Facts) -> None:
    random = np.random.default_rng(8)
    shown: Counter[str] = Counter()
    for _ in range(DRAWS):
        frame = facts.predictions
        assert frame is not None
        for column in ("copied_share", "repetition", "answer_tokens", "rougeL"):
            frame = frame.assign(**swapped(frame, column, random))
        chosen = mmlu_answers([0.25] * 4, seed=int(random.integers(2**31)))
        shown.update(claims(with_parts(facts, predictions=frame, mmlu_answers=chosen), RULES[:-1]))
    assert {rule: times for rule, times in shown.items() if times / DRAWS > MOST} == {}


def test_shuffled_answers_are_no_trend(facts: Facts) -> None:
    """A column in another order on both variants: each variant keeps its values, the questions lose theirs."""
    random = np.random.default_rng(9)
    frame = facts.predictions
    assert frame is not None
    same: dict[str, Any] = {}
    for column in ("copied_share", "repetition", "answer_tokens", "rougeL"):
        values = random.permutation(frame[f"base_{column}"].to_numpy())
        same |= {f"base_{column}": values, f"fine_tuned_{column}": random.permutation(values)}
    shown = claims(with_parts(facts, predictions=frame.assign(**same), mmlu_answers=mmlu_answers([0.25] * 4)))
    assert not shown - {"clean_holds"}


def test_a_run_of_noise_claims_nothing_at_all(build: RunBuilder) -> None:
    random = np.random.default_rng(10)
    run = full(build)
    none = {name: metric(0.5, 0.5, 0.1, "cannot tell", p=1.0) for name in ("loss", "rougeL", "token_f1", "mmlu")}
    build.evaluation(run, metrics=none, clean=none, by_question_type={}, by_source={})
    noise = {**columns(), "train_overlap": None}
    for column in ("copied_share", "repetition", "answer_tokens", "rougeL"):
        values = random.integers(1, 50, 120) / (1 if column == "answer_tokens" else 100)
        noise |= {f"base_{column}": values, f"fine_tuned_{column}": random.permutation(values)}
    build.predictions(run, 120, **noise)
    facts = with_parts(Facts.of(run), mmlu_answers=mmlu_answers([0.25] * 4))
    losses = {**facts.metrics_log.train.columns, "loss": random.permutation(facts.metrics_log.train["loss"])}
    held_out = {**facts.metrics_log.validation.columns, "loss": np.array([1.9, 2.1, 1.88, 2.3, 1.92, 2.0, 1.89, 1.95])}
    metrics_log = replace(facts.metrics_log, train=Curve(losses), validation=Curve(held_out))
    found = {i.rule for i in insights(with_parts(facts, metrics_log=metrics_log))}
    neutral = {"copied", "flips", "did_not_fall", "early_best", "empty_answers:base", "gap"}
    assert not found - neutral
    assert sentence(facts).startswith("Inconclusive: whether")
