from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medqa_core.report.facts import Facts
from medqa_core.report.insights import insights, limitations, next_steps
from medqa_core.report.rules.curve import validation_trend
from medqa_core.runs.metrics_log.log import Curve
from medqa_core.runs.run import Run
from tests.support.runs import RunBuilder

TRENDS = {"overfitting", "kept_falling", "fell", "rose", "training_fell", "early_best"}
FALLING = [2.30, 2.20, 2.10, 2.02, 1.98, 1.95, 1.91, 1.88]
OVERFIT = [2.30, 2.00, 1.80, 1.84, 1.90, 1.97, 2.05, 2.15]
LEVELLED = [2.30, 2.10, 2.00, 1.95, 1.92, 1.90, 1.91, 1.905]


def names(run: Run | Facts) -> set[str]:
    return {insight.rule for insight in insights(run)}


@pytest.mark.parametrize(
    ("losses", "rule"),
    [
        (FALLING, "kept_falling"),
        (OVERFIT, "overfitting"),
        (LEVELLED, "fell"),
        (FALLING[::-1], "overfitting"),
        ([2.0, 1.99, 2.05, 2.1, 2.12, 2.2, 2.19, 2.3], "overfitting"),
        ([2.0, 2.05, 1.99, 2.1, 2.2, 2.15, 2.3], "rose"),
        ([2.0, 2.1, 1.9, 2.05, 1.95, 2.02], "did_not_fall"),
        ([2.0] * 6, "did_not_fall"),
    ],
)
def test_each_shape_of_the_validation_curve_has_its_sentence(build: RunBuilder, losses: Any, rule: str) -> None:
    run = build.run()
    build.curve(run, validation=losses)
    shapes = {"overfitting", "kept_falling", "fell", "rose", "did_not_fall"}
    assert names(run) & shapes == {rule}


def test_planted_overfitting_is_found_with_its_step_epoch_and_rows(build: RunBuilder) -> None:
    run = build.run()
    build.curve(run, validation=OVERFIT)
    found = next(i for i in insights(run) if i.rule == "overfitting")
    assert "fell from 2.3000 to 1.8000 at step 300, then rose to 2.1500" in found.sentence
    assert "from epoch 3 on" in found.sentence
    assert "metrics.jsonl, validation, step 300: loss 1.8000" in found.evidence
    assert "p = 0.008" in found.effect
    assert "stop_earlier" in {step.rule for step in next_steps(run)}


def test_losses_that_rise_together_are_no_overfitting(build: RunBuilder) -> None:
    run = build.run()
    build.curve(run, validation=OVERFIT, train=list(np.linspace(2.3, 1.8, 30)) + list(np.linspace(1.8, 2.6, 50)))
    found = next(i for i in insights(run) if i.rule == "unstable")
    assert "training loss rose with it" in found.sentence and "overfitting" not in names(run)
    assert "learning_rate" in {step.rule for step in next_steps(run)}


@pytest.mark.parametrize(
    "losses",
    [
        [2.10, 1.75, 1.60, 1.52, 1.47, 1.45, 1.4381, 1.4371],
        [2.30, 2.00, 1.90, 1.90, 1.8999, 1.8998, 1.8997, 1.8996],
    ],
)
def test_a_plateau_is_not_still_falling(build: RunBuilder, losses: Any) -> None:
    run = build.run()
    build.curve(run, validation=losses)
    found = next(i for i in insights(run) if i.rule == "levelled")
    assert "has levelled off" in found.sentence and "kept_falling" not in names(run)
    assert "train_longer" not in {step.rule for step in next_steps(run)}


def test_a_curve_that_ends_in_nan_has_no_trend(build: RunBuilder) -> None:
    nan = float("nan")
    run = build.run()
    build.curve(run, validation=[*FALLING, nan], train=[*np.linspace(3, 2, 30), nan, nan])
    assert "non_finite" in names(run) and not names(run) & (TRENDS - {"early_best"})
    build.curve(run, validation=[nan, nan, nan])
    assert any("3 more are not a number" in limit.sentence for limit in limitations(run))


def test_a_curve_that_kept_falling_asks_for_longer_training(build: RunBuilder) -> None:
    run = build.run()
    build.curve(run, validation=FALLING)
    assert "train_longer" in {step.rule for step in next_steps(run)}


@pytest.mark.parametrize("losses", [FALLING, OVERFIT, LEVELLED, list(np.linspace(3, 2, 25))])
def test_shuffled_validation_losses_lose_their_sentence(build: RunBuilder, losses: Any) -> None:
    run = build.run()
    build.curve(run, validation=losses)
    facts = Facts.of(run)
    assert names(facts) & TRENDS
    columns, random, shown = facts.metrics_log.validation.columns, np.random.default_rng(11), 0
    for _ in range(400):
        shuffled = Curve({**columns, "loss": random.permutation(losses)})
        log = replace(facts.metrics_log, validation=shuffled)
        facts = Facts(replace(facts.snapshot, metrics_log=log))
        shown += bool({found.rule for found in validation_trend(facts)} & TRENDS)
    assert shown / 400 < 0.07  # what p < 0.05 lets through, and the luck of 400 draws


def test_a_shuffled_curve_in_a_run_folder_says_only_that_it_shows_no_trend(build: RunBuilder) -> None:
    run = build.finished()
    build.curve(run, validation=[1.90, 2.10, 1.88, 2.30, 1.92, 2.00, 1.89, 1.95], train=[2.0, 2.3, 1.9, 2.2] * 20)
    assert not names(run) & (TRENDS - {"early_best"})
    assert "did_not_fall" in names(run)
    assert "train_longer" not in {step.rule for step in next_steps(run)}


def test_shuffled_training_losses_lose_their_sentence(build: RunBuilder) -> None:
    random = np.random.default_rng(3)
    train = 2.4 - 0.5 * np.linspace(0, 1, 120) + random.normal(0, 0.05, 120)
    run = build.run()
    build.curve(run, train=train)
    assert "training_fell" in names(run)
    shown = 0
    for seed in range(60):
        build.curve(run, train=np.random.default_rng(seed).permutation(train))
        shown += "training_fell" in names(run)
    assert shown <= 3


@pytest.mark.parametrize("losses", [[], [2.0], [2.0, 1.9], [2.0, 1.9, 1.8], [2.0, float("nan"), 1.9, 1.8]])
def test_too_few_values_say_nothing(build: RunBuilder, losses: Any) -> None:
    run = build.run()
    build.curve(run, validation=losses)
    assert not names(run) & (TRENDS | {"did_not_fall"})


def test_nan_is_said_with_its_step_and_leaves_the_rest_standing(build: RunBuilder) -> None:
    run = build.run()
    build.curve(run, validation=FALLING, train=[2.4, float("nan"), 2.3, float("inf")])
    found = next(i for i in insights(run) if i.rule == "non_finite")
    assert "2 logged steps, first at step 20" in found.sentence
    assert "kept_falling" in names(run)
    assert "repair_loss" in {step.rule for step in next_steps(run)}


def test_the_gap_at_the_end_is_told_only_where_it_can_be(build: RunBuilder) -> None:
    random = np.random.default_rng(0)
    run = build.run()
    build.curve(run, validation=FALLING, train=1.5 + random.normal(0, 0.02, 60))
    found = next(i for i in insights(run) if i.rule == "gap")
    assert "above training loss" in found.sentence
    build.curve(run, validation=FALLING, train=1.88 + random.normal(0, 0.3, 60))
    assert "gap" not in names(run)


def test_an_early_best_value_without_a_rise_is_said_as_that(build: RunBuilder) -> None:
    run = build.run()
    build.curve(run, validation=[2.3, 2.0, 1.8, 1.85, 1.82, 1.84, 1.81, 1.83])
    found = next(i for i in insights(run) if i.rule == "early_best")
    assert "step 300 of 800" in found.sentence
    assert "overfitting" not in names(run)


def test_a_long_curve_is_read_in_a_moment(build: RunBuilder) -> None:
    import json
    import time

    run = build.run()
    lines = [json.dumps({"split": "train", "step": i, "loss": 3 - i / 50_000}) for i in range(50_000)]
    (run.folder / "metrics.jsonl").write_text("\n".join(lines))
    start = time.monotonic()
    assert "training_fell" in names(run)
    assert time.monotonic() - start < 5
