"""From rows to metrics: each is what its name says, and many of them are corrected for being many."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medqa_core.evaluation import judge as module
from medqa_core.evaluation.rule import VERSION
from medqa_core.evaluation.tables import MIN_QUESTIONS, Judged, judged
from medqa_core.foundation.settings import PACKAGE_ROOT
from medqa_core.runs.schema.evaluation import ANSWER_SCORES
from medqa_core.runs.store.run_store import RunStore


def rows(count: int = 80, gain: float = 0.0, kinds: int = 2, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    base = random.normal(2.2, 0.3, count)
    rouge = random.uniform(0.1, 0.3, count)
    columns: dict[str, Any] = {
        "question_id": [f"q{n}" for n in range(count)],
        "group_id": [f"g{n // 2}" for n in range(count)],
        "question_type": [f"type {n // 2 % kinds}" for n in range(count)],
        "source": [f"source {n // 4 % 2}" for n in range(count)],
        "train_overlap": [0.5 if n % 4 == 0 else 0.0 for n in range(count)],
        "reference_tokens": random.integers(20, 200, count),
        "base_loss": base,
        "fine_tuned_loss": base - gain + random.normal(0, 0.05, count),
    }
    columns["reference_bytes"] = columns["reference_tokens"] * 4
    for name in ANSWER_SCORES:
        columns[f"base_{name}"] = rouge
        columns[f"fine_tuned_{name}"] = rouge + random.normal(0, 0.05, count)
    return pd.DataFrame(columns)


def test_each_metric_by_its_definition() -> None:
    table = rows(gain=0.3)
    metrics = judged(table, "loss").metrics
    for variant in ("base", "fine_tuned"):
        nats = (table[f"{variant}_loss"] * table["reference_tokens"]).sum()
        loss = nats / table["reference_tokens"].sum()
        expected = {
            "loss": loss,
            "perplexity": math.exp(loss),
            "bits_per_byte": nats / math.log(2) / table["reference_bytes"].sum(),
            **{name: table[f"{variant}_{name}"].mean() for name in ANSWER_SCORES},
        }
        assert {name: getattr(metric, variant) for name, metric in metrics.items()} == pytest.approx(expected)


@pytest.mark.parametrize("gain", [0.0, 0.01, 0.3])
def test_perplexity_and_bits_per_byte_are_the_loss_in_other_units(gain: float) -> None:
    for primary in ("loss", "rougeL"):
        found = judged(rows(gain=gain), primary)
        for metrics in (found.metrics, found.clean, *found.by_question_type.values(), *found.by_source.values()):
            loss = metrics["loss"]
            assert loss.base is not None
            perplexity, in_bytes = metrics["perplexity"], metrics["bits_per_byte"]
            for other in (perplexity, in_bytes):
                assert (other.p, other.verdict, other.required_n) == (loss.p, loss.verdict, loss.required_n)
            if loss.ci is not None:
                to_perplexity = [math.exp(loss.base) * math.expm1(nats) for nats in (*loss.ci, 0.02)]
                assert (*perplexity.ci, perplexity.margin) == pytest.approx(to_perplexity)  # type: ignore[misc]
                to_bits = [nats / 4 / math.log(2) for nats in (*loss.ci, 0.02)]
                assert (*in_bytes.ci, in_bytes.margin) == pytest.approx(to_bits)  # type: ignore[misc]


def test_a_part_shows_nothing_that_the_whole_does_not() -> None:
    """One type gained what the other lost: on the whole nothing, so nothing is said of either."""
    table = rows(160)
    first = table["question_type"] == "type 0"
    table["fine_tuned_loss"] = table["base_loss"] + np.where(first, -0.3, 0.3)
    found = judged(table, "loss")
    whole = found.metrics["loss"].p
    assert whole is not None and whole > 0.05
    parts = found.by_question_type
    assert {kind["loss"].verdict for kind in parts.values()} == {"cannot tell"}
    assert all(kind["loss"].p >= whole for kind in parts.values())  # type: ignore[operator]


def test_the_primary_metric_is_not_corrected_and_the_others_are() -> None:
    table = rows(gain=0.02)
    once, other = judged(table, "loss").metrics, judged(table, "rougeL").metrics
    assert other["loss"].p > once["loss"].p  # type: ignore[operator]
    assert other["rougeL"].p <= once["rougeL"].p  # type: ignore[operator]


def test_secondary_metrics_are_judged_more_strictly_where_the_primary_one_shows_nothing() -> None:
    """By hand: Holm over five secondary metrics, of which MMLU has the smallest p-value."""
    table = rows()
    for name in ANSWER_SCORES:
        table[f"fine_tuned_{name}"] = table[f"base_{name}"]
    answers = choices(24, 7)  # McNemar: p = 0.0033; times five tests 0.0165
    for gain, verdict in ((0.3, "better"), (0.0, "cannot tell")):
        table["fine_tuned_loss"] = rows(gain=gain)["fine_tuned_loss"]
        metrics = judged(table, "loss", answers).metrics
        assert metrics["mmlu"].verdict == verdict
    alone = judged(None, "loss", answers).metrics["mmlu"]
    assert alone.p == pytest.approx(0.0033, abs=1e-4)
    assert alone.p is not None and metrics["mmlu"].p == pytest.approx(5 * 5 * alone.p)


@pytest.mark.parametrize(("column", "section"), [("question_type", "by_question_type"), ("source", "by_source")])
def test_parts_with_few_questions_are_not_judged(column: str, section: str) -> None:
    table = rows(40)
    table.loc[: MIN_QUESTIONS - 2, column] = "rare"
    assert "rare" not in getattr(judged(table, "loss"), section)
    table.loc[: MIN_QUESTIONS - 1, column] = "rare"
    assert getattr(judged(table, "loss"), section)["rare"]["loss"].n == MIN_QUESTIONS


def test_the_clean_part_holds_what_shares_nothing_with_training() -> None:
    table = rows(gain=0.3)
    clean = judged(table, "loss").clean
    kept = table[table["train_overlap"] == 0]
    alone = judged(kept, "loss").metrics
    assert {name: (m.difference, m.ci) for name, m in clean.items()} == {
        name: (m.difference, m.ci) for name, m in alone.items()
    }
    assert {metric.n for metric in clean.values()} == {60}
    table["train_overlap"] = 0.1
    assert {metric.reason for metric in judged(table, "loss").clean.values()} == {"There is no question to compare."}


def choices(won: int, lost: int) -> pd.DataFrame:
    base = [0] * won + [1] * lost + [0] * (500 - won - lost)
    tuned = [1] * won + [0] * lost + [0] * (500 - won - lost)
    return pd.DataFrame({"subset": "anatomy", "target": 1, "base_choice": base, "fine_tuned_choice": tuned})


def test_mmlu_joins_the_family_of_secondary_metrics() -> None:
    table = rows(gain=0.02)
    without, found = judged(table, "loss").metrics, judged(table, "loss", choices(40, 5)).metrics
    assert found["mmlu"].verdict == "better"
    assert found["mmlu"].difference == pytest.approx(35 / 500)
    assert found["loss"] == without["loss"]
    for name in ANSWER_SCORES:  # one test more: no p-value can get smaller
        assert found[name].p >= without[name].p  # type: ignore[operator]
    alone = judged(None, "loss", choices(40, 5))
    assert list(alone.metrics) == ["mmlu"]
    assert (alone.by_question_type, alone.by_source, alone.clean) == ({}, {}, {})
    assert judged(None, "loss") == Judged({})


def test_many_types_do_not_make_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve types without any change: looked at one by one, half of such tables would show a false find."""
    monkeypatch.setattr(module, "RESAMPLES", 400)
    false = 0
    for seed in range(20):
        table = rows(12 * 24, kinds=12, seed=seed).drop(columns=["source", "train_overlap"])
        by_type = judged(table, "loss").by_question_type
        assert len(by_type) == 12
        false += any(kind["rougeL"].verdict in ("better", "worse") for kind in by_type.values())
    assert false <= 4


def test_a_real_gain_survives_the_correction() -> None:
    by_type = judged(rows(160, gain=0.3, kinds=4), "loss").by_question_type
    assert {kind["loss"].verdict for kind in by_type.values()} == {"better"}


@pytest.mark.parametrize("run_id", ["smollm2-medquad", "starter"])
def test_shipped_runs_say_of_their_types_what_is_so(run_id: str) -> None:
    run = RunStore(PACKAGE_ROOT / "reports").open(run_id)
    evaluation, table = run.evaluation(), run.predictions()
    assert evaluation is not None and table is not None
    assert evaluation.by_question_type_correction == "holm"
    by_type = judged(table, evaluation.primary_metric, run.mmlu_answers()).by_question_type
    assert evaluation.by_question_type.keys() == by_type.keys()
    for kind, metrics in by_type.items():
        for name, metric in metrics.items():
            stated = evaluation.by_question_type[kind].get(name)
            if stated is None:  # older than this metric
                assert metric.n == 0
                continue
            assert stated.difference == pytest.approx(metric.difference)
            if evaluation.rule == VERSION:
                assert stated.p == pytest.approx(metric.p) and stated.verdict == metric.verdict


def test_losses_that_are_not_numbers_are_left_out_of_loss_metrics_alone() -> None:
    table = rows(gain=0.3)
    table.loc[:9, "fine_tuned_loss"] = math.inf
    metrics = judged(table, "loss").metrics
    assert {name: metric.n for name, metric in metrics.items()} == {
        "loss": 70, "perplexity": 70, "bits_per_byte": 70, **dict.fromkeys(ANSWER_SCORES, 80),
    }  # fmt: skip
    for name in ("loss", "perplexity", "bits_per_byte"):
        assert metrics[name].verdict == "cannot tell"
        assert "10 of the fine-tuned model" in str(metrics[name].reason)
    assert metrics["rouge1"].reason is None


def test_a_model_that_fell_apart_still_gets_its_table() -> None:
    table = rows()
    table["fine_tuned_loss"] = 5000.0
    metrics = judged(table, "loss").metrics
    assert metrics["loss"].verdict == "worse"
    assert metrics["perplexity"].reason


def test_one_question() -> None:
    found = judged(rows(1), "loss")
    assert {metric.verdict for metric in found.metrics.values()} == {"cannot tell"}
    assert all(metric.reason for metric in found.metrics.values())
    assert (found.by_question_type, found.by_source) == ({}, {})


def unmeasured(column: str | None = None) -> pd.DataFrame:
    table = rows().astype(object)
    for name in [column] if column else table.columns:
        table[name] = None
    return table


@pytest.mark.parametrize(
    "table",
    [rows(0), pd.DataFrame(), pd.DataFrame(index=range(5)), unmeasured()],
    ids=["rows", "all", "columns", "values"],
)
def test_nothing_to_judge_is_said(table: pd.DataFrame) -> None:
    found = judged(table, "loss", pd.DataFrame())
    for metric in (*found.metrics.values(), *found.clean.values()):
        assert (metric.verdict, metric.base, metric.fine_tuned, metric.ci, metric.p) == ("cannot tell", *[None] * 4)
        assert metric.reason
    assert (found.by_question_type, found.by_source) == ({}, {})


@pytest.mark.parametrize("column", rows(1).columns)
def test_any_column_may_be_null_or_absent(column: str) -> None:
    for table in (unmeasured(column), rows().drop(columns=column)):
        for metric in judged(table, "loss").metrics.values():
            assert metric.reason or metric.ci is not None
            assert metric.n in (0, 80)


def test_content_may_be_known_of_one_part_alone() -> None:
    table = rows(gain=0.3)
    known = table["question_type"] == "type 0"
    table["reference_words"] = np.where(known, 50.0, math.nan)
    table["base_content_f1"] = np.where(known, table["base_rougeL"], math.nan)
    table["fine_tuned_content_f1"] = table["base_content_f1"] + 0.1
    found = judged(table, "loss")
    assert found.metrics["content_f1"].n == 40
    assert found.by_question_type["type 0"]["content_f1"].n == 40
    assert "content_f1" not in found.by_question_type["type 1"] and "rougeL" in found.by_question_type["type 1"]


def test_the_same_or_no_answers_from_both_are_neither_better_nor_worse() -> None:
    for count, verdict in ((80, "cannot tell"), (1600, "equivalent")):
        table = rows(count)
        for name in ANSWER_SCORES:
            table[f"base_{name}"] = table[f"fine_tuned_{name}"] = 0.0
        metrics = judged(table, "loss").metrics
        assert {(metrics[name].verdict, metrics[name].p) for name in ANSWER_SCORES} == {(verdict, 1)}
        assert all(metrics[name].ci != (0, 0) for name in ANSWER_SCORES)


def test_a_length_in_bytes_that_is_missing_is_said() -> None:
    table = rows(gain=0.3)
    table.loc[:4, "reference_bytes"] = math.nan
    metrics = judged(table, "loss").metrics
    assert metrics["loss"].verdict == metrics["perplexity"].verdict == "better"
    assert metrics["bits_per_byte"].reason == "The length in bytes is missing of 5 of 80 references."
