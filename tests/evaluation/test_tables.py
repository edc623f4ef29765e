"""From rows to metrics: each is what its name says, and many of them are corrected for being many."""

import math

import numpy as np
import pandas as pd
import pytest

from medqa_core.evaluation import judge as module
from medqa_core.evaluation.tables import MIN_QUESTIONS, metrics_of
from medqa_core.foundation.settings import PACKAGE_ROOT
from medqa_core.runs.store import RunStore


def rows(count: int = 80, gain: float = 0.0, kinds: int = 2, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    base = random.normal(2.2, 0.3, count)
    rouge = random.uniform(0.1, 0.3, count)
    columns = {
        "question_id": [f"q{n}" for n in range(count)],
        "group_id": [f"g{n // 2}" for n in range(count)],
        "question_type": [f"type {n // 2 % kinds}" for n in range(count)],
        "source": "made",
        "reference_tokens": random.integers(20, 200, count),
        "base_loss": base,
        "fine_tuned_loss": base - gain + random.normal(0, 0.05, count),
    }
    columns["reference_bytes"] = columns["reference_tokens"] * 4
    for name in ("rouge1", "rouge2", "rougeL"):
        columns[f"base_{name}"] = rouge
        columns[f"fine_tuned_{name}"] = rouge + random.normal(0, 0.05, count)
    return pd.DataFrame(columns)


def test_each_metric_by_its_definition() -> None:
    table = rows(gain=0.3)
    metrics, _ = metrics_of(table, "loss")
    for side in ("base", "fine_tuned"):
        nats = (table[f"{side}_loss"] * table["reference_tokens"]).sum()
        loss = nats / table["reference_tokens"].sum()
        expected = {
            "loss": loss,
            "perplexity": math.exp(loss),
            "bits_per_byte": nats / math.log(2) / table["reference_bytes"].sum(),
            **{name: table[f"{side}_{name}"].mean() for name in ("rouge1", "rouge2", "rougeL")},
        }
        assert {name: getattr(metric, side) for name, metric in metrics.items()} == pytest.approx(expected)


def test_perplexity_is_the_loss_on_another_scale() -> None:
    for primary in ("loss", "rougeL"):
        metrics, by_type = metrics_of(rows(gain=0.01), primary)  # type: ignore[arg-type]
        assert metrics["perplexity"].p == metrics["loss"].p
        for kind in by_type.values():
            assert kind["perplexity"].p == kind["loss"].p


def test_the_primary_metric_is_not_corrected_and_the_others_are() -> None:
    table = rows(gain=0.02)
    once, _ = metrics_of(table, "loss")
    other, _ = metrics_of(table, "rougeL")
    assert other["loss"].p > once["loss"].p  # type: ignore[operator]
    assert other["rougeL"].p <= once["rougeL"].p  # type: ignore[operator]


def test_types_with_few_questions_are_not_judged() -> None:
    table = rows(40)
    table.loc[: MIN_QUESTIONS - 2, "question_type"] = "rare"
    assert "rare" not in metrics_of(table, "loss")[1]
    table.loc[: MIN_QUESTIONS - 1, "question_type"] = "rare"
    assert metrics_of(table, "loss")[1]["rare"]["loss"].n == MIN_QUESTIONS


def test_many_types_do_not_make_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve types without any change: looked at one by one, half of such tables would show a false find."""
    monkeypatch.setattr(module, "RESAMPLES", 400)
    false = 0
    for seed in range(20):
        _, by_type = metrics_of(rows(12 * 24, kinds=12, seed=seed), "loss")
        assert len(by_type) == 12
        false += any(kind["rougeL"].verdict in ("better", "worse") for kind in by_type.values())
    assert false <= 4


def test_a_real_gain_survives_the_correction() -> None:
    _, by_type = metrics_of(rows(160, gain=0.3, kinds=4), "loss")
    assert {kind["loss"].verdict for kind in by_type.values()} == {"better"}


@pytest.mark.parametrize("run_id", ["smollm2-medquad", "starter"])
def test_shipped_runs_say_of_their_types_what_is_so(run_id: str) -> None:
    run = RunStore(PACKAGE_ROOT / "reports").open(run_id)
    evaluation, table = run.evaluation(), run.predictions()
    assert evaluation is not None and table is not None
    assert evaluation.by_question_type_correction == "holm"
    _, by_type = metrics_of(table, evaluation.primary_metric)
    assert evaluation.by_question_type.keys() == by_type.keys()
    for kind, metrics in by_type.items():
        for name, metric in metrics.items():
            stated = evaluation.by_question_type[kind][name]
            assert (stated.p, stated.verdict) == (pytest.approx(metric.p), metric.verdict)


def test_losses_that_are_not_numbers_are_left_out_of_loss_metrics_alone() -> None:
    table = rows()
    table.loc[:9, "fine_tuned_loss"] = math.nan
    metrics, _ = metrics_of(table, "loss")
    assert {name: metric.n for name, metric in metrics.items()} == {
        "loss": 70, "perplexity": 70, "bits_per_byte": 70, "rouge1": 80, "rouge2": 80, "rougeL": 80,
    }  # fmt: skip


def test_a_model_that_fell_apart_still_gets_its_table() -> None:
    table = rows()
    table["fine_tuned_loss"] = 5000.0
    metrics, _ = metrics_of(table, "loss")
    assert metrics["loss"].verdict == "worse"
    assert metrics["perplexity"].reason


def test_one_question() -> None:
    metrics, by_type = metrics_of(rows(1), "loss")
    assert {metric.verdict for metric in metrics.values()} == {"cannot tell"}
    assert all(metric.reason for metric in metrics.values())
    assert by_type == {}
