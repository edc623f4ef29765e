"""Comparisons of which the truth is known: where the models do not differ, the judge seldom says that they do.

The bounds are loose, as a few seconds allow few comparisons: `benchmarks/verdict.py` measures with a thousand a world.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from medqa_core.evaluation import judge as module
from medqa_core.evaluation.judge import Paired, judge
from medqa_core.evaluation.mcnemar import judge_choices
from medqa_core.evaluation.tables import judged
from medqa_core.runs.schema.evaluation import Metric, Verdict

TRIALS = 200
MOST = 0.085
"""Of 200 comparisons with a false-positive rate of 5%, more than 17 are false once in 70 tries: the seeds are fixed."""
World = Callable[[np.random.Generator, float], Metric]


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESAMPLES", 400)


def nats(random: np.random.Generator, gain: float, topics: int = 50) -> Paired:
    """Losses that move topic by topic, with heavy tails, over answers of very different lengths."""
    topic = np.repeat(np.arange(topics), random.integers(1, 5, topics))
    tokens = np.clip(random.lognormal(4.9, 0.9, len(topic)), 5, 360)
    base = random.normal(2.4, 0.4, topics)[topic]
    change = 0.2 * random.standard_t(3, topics)[topic] + 0.1 * random.standard_t(3, len(topic))
    return Paired(base * tokens, (base + change - gain) * tokens, tokens, topic)


def rouge(random: np.random.Generator, gain: float) -> Paired:
    """ROUGE of answers that have nothing to do with each other."""
    base, tuned = random.beta(4, 16, (2, 60))
    return Paired(base, tuned + gain, np.ones(60), np.arange(60))


def choices(random: np.random.Generator, gain: float, count: int = 600) -> pd.DataFrame:
    kind = random.choice(3, count, p=[0.8, 0.1 + gain / 2, 0.1 - gain / 2])
    return pd.DataFrame({"target": 1, "base_choice": kind == 2, "fine_tuned_choice": kind == 1}).astype(int)


WORLDS: dict[str, tuple[World, float]] = {
    "loss": (lambda random, gain: judge("loss", nats(random, gain)), 0.32),
    "few topics": (lambda random, gain: judge("loss", nats(random, gain, 12)), 0.8),
    "ROUGE": (lambda random, gain: judge("rougeL", rouge(random, gain)), 0.06),
    "MMLU": (lambda random, gain: judge_choices(choices(random, gain)), 0.07),
}
"""Each with a gain that is one and a half times what it can detect, or more."""


@pytest.mark.parametrize("name", WORLDS)
def test_no_more_false_alarms_than_promised(name: str) -> None:
    world, _ = WORLDS[name]
    found = [world(np.random.default_rng(seed), 0.0) for seed in range(TRIALS)]
    false = sum(metric.verdict in ("better", "worse") for metric in found)
    assert 0 < false <= MOST * TRIALS  # a judge that never finds anything is of no use either
    inside = sum(metric.ci is not None and metric.ci[0] <= 0 <= metric.ci[1] for metric in found)
    assert inside >= 0.89 * TRIALS


@pytest.mark.parametrize("name", WORLDS)
def test_a_planted_gain_is_found_and_never_turned_round(name: str) -> None:
    world, gain = WORLDS[name]
    signs: tuple[tuple[int, Verdict], ...] = ((1, "better"), (-1, "worse"))
    for sign, right in signs:
        found = [world(np.random.default_rng(seed), sign * gain).verdict for seed in range(40)]
        assert found.count(right) >= 34
        assert set(found) <= {right, "cannot tell"}


def test_a_judge_that_takes_questions_for_topics_would_fail_here() -> None:
    """The check of the check: without the groups, more than are allowed."""
    alone = [nats(np.random.default_rng(seed), 0.0) for seed in range(TRIALS)]
    ungrouped = [judge("loss", Paired(d.base, d.fine_tuned, d.weight, np.arange(len(d.weight)))) for d in alone]
    assert sum(metric.verdict in ("better", "worse") for metric in ungrouped) > MOST * TRIALS


def test_whole_evaluations_find_little_where_nothing_is() -> None:
    """The primary metric and the secondary ones together: at most 6% of all evaluations are false anywhere."""
    false = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        loss = nats(random, 0.0)
        n = len(loss.weight)
        better = 0.05 * random.standard_t(4, 50)[loss.group]
        table = pd.DataFrame(
            {
                "group_id": loss.group.astype(str),
                "reference_tokens": loss.weight,
                "reference_bytes": loss.weight * 4.8,
                "base_loss": loss.base / loss.weight,
                "fine_tuned_loss": loss.fine_tuned / loss.weight,
            }
        )
        for name in ("rouge1", "rouge2", "rougeL", "token_f1"):
            table[f"base_{name}"] = random.beta(4, 16, n)
            table[f"fine_tuned_{name}"] = table[f"base_{name}"] + better + 0.05 * random.standard_t(4, n)
        metrics = judged(table, "loss", choices(random, 0.0)).metrics
        false += any(metric.verdict in ("better", "worse") for metric in metrics.values())
    assert false <= 6
