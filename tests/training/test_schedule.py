"""Which examples a step sees, and its learning rate: from the configuration alone."""

import math
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import get_scheduler

from medqa_core.runs.schema.config import TrainConfig, validated
from medqa_core.training.schedule import TrainingSchedule


def schedule_of(count: int = 10, **changes: object) -> TrainingSchedule:
    config = validated({"batch_size": 3, "gradient_accumulation_steps": 1, "warmup_steps": 0, **changes})
    return TrainingSchedule.of(config, [10 + index for index in range(count)])


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_each_epoch_sees_every_example_once(count: int, batch: int, epochs: int, seed: int) -> None:
    one = schedule_of(count, batch_size=batch, epochs=epochs, seed=seed)
    for epoch in range(epochs):
        steps = range(epoch * one.steps_per_epoch + 1, (epoch + 1) * one.steps_per_epoch + 1)
        seen = Counter(index for step in steps for index in one.examples(step))
        assert seen == Counter(range(count))
    assert one.total_steps == epochs * one.steps_per_epoch
    assert one.total_tokens == epochs * sum(one.lengths)
    assert one.epoch(one.total_steps) == epochs
    assert one.seen(one.total_steps) == epochs * count


def test_the_order_is_the_seeds_and_changes_with_the_epoch() -> None:
    first, second = ([schedule_of(epochs=2, seed=seed).examples(step) for step in range(1, 9)] for seed in (1, 2))
    assert first != second
    assert first[:4] != first[4:]
    before = torch.get_rng_state()
    assert [schedule_of(epochs=2, seed=1).examples(step) for step in range(1, 9)] == first
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("epochs", "steps"), [(0.5, 2), (0.01, 1), (1.0, 4), (1.1, 5), (2.0, 8)])
def test_parts_of_an_epoch(epochs: float, steps: int) -> None:
    one = schedule_of(epochs=epochs)
    assert one.total_steps == steps
    assert one.total_tokens == sum(one.tokens(step) for step in range(1, steps + 1))


@pytest.mark.parametrize("every", [1, 3, 4, 7, 100])
def test_validations_before_the_first_step_every_few_steps_and_after_the_last(every: int) -> None:
    one = schedule_of(30, eval_steps=every)
    due = [step for step in range(one.total_steps + 1) if step in (0, one.total_steps) or step % every == 0]
    left = [one.validations_from(step) for step in range(one.total_steps + 1)]
    assert left == [sum(other >= step for other in due) for step in range(one.total_steps + 1)]


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_the_schedule_is_the_librarys_one_step_on(schedule: str) -> None:
    """transformers' first step has a learning rate of 0 and does nothing; ours starts where its second one does."""
    one = schedule_of(100, epochs=1, warmup_steps=5, schedule=schedule, learning_rate=0.5)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    name = {"constant": "constant_with_warmup"}.get(schedule, schedule)
    theirs = get_scheduler(name, optimizer, num_warmup_steps=5, num_training_steps=one.total_steps)
    for step in range(1, one.total_steps + 1):
        if step <= 5:  # theirs, read after its own n-th step
            optimizer.step()
            theirs.step()
            assert one.learning_rate(step) == pytest.approx(optimizer.param_groups[0]["lr"])
        else:
            assert one.learning_rate(step) == pytest.approx(optimizer.param_groups[0]["lr"])
            optimizer.step()
            theirs.step()


def test_no_step_is_wasted_on_a_learning_rate_of_nothing() -> None:
    for schedule in ("linear", "cosine", "constant"):
        one = schedule_of(30, epochs=3, warmup_steps=4, schedule=schedule)
        rates = [one.learning_rate(step) for step in range(1, one.total_steps + 1)]
        assert min(rates) > 0
        assert max(rates) == TrainConfig.model_fields["learning_rate"].default
        assert all(math.isfinite(rate) for rate in rates)
