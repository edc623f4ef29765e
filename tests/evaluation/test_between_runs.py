"""Two runs judged against each other: the same questions, whole topics, and what does not compare left out."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from medqa_core.evaluation.between_runs import Measured, judge_runs
from medqa_core.foundation.errors import InputError
from medqa_core.report.wording.between_runs import notes, sentence
from tests.support.scenarios import predictions


def rows(questions: int = 60, lift: float = 0.0, start: int = 0, **columns: Any) -> pd.DataFrame:
    """Answers of a run; `lift`: how much better its fine-tuned model is than that of another call."""
    ids = range(start, start + questions)
    noise = np.random.default_rng(int(lift * 1000))
    hard = np.random.default_rng(1).normal(0, 0.2, start + questions)[start:]
    values: dict[str, Any] = {
        "question_id": [f"q{n}" for n in ids],
        "group_id": [f"g{n // 2}" for n in ids],
        "question_type": "symptoms",
        "source": "demo",
        "references": 1,
        "reference_tokens": 50,
        "reference_bytes": 200,
        "train_overlap": 0.0,
        "base_answer": "base",
        "fine_tuned_answer": "tuned",
        "base_answer_tokens": 5,
        "fine_tuned_answer_tokens": 5,
        "base_loss": 9.0,
        "fine_tuned_loss": 2.0 + hard - lift + noise.normal(0, 0.01, questions),
    }
    for name in ("rouge1", "rouge2", "rougeL", "token_f1"):
        values[f"base_{name}"] = 0.9
        values[f"fine_tuned_{name}"] = 0.3 + hard / 10 + lift / 2 + noise.normal(0, 0.001, questions)
    return predictions({**values, **columns})


def run(name: str, table: pd.DataFrame, source: str | None = "demo") -> Measured:
    return Measured(name, source, table)


def test_the_second_run_against_the_first() -> None:
    found = judge_runs(run("a", rows()), run("b", rows(lift=0.1)))
    assert (found.questions, found.groups, found.same_questions) == (60, 30, True)
    loss = found.metrics["loss"]
    assert loss.base == pytest.approx(2.0, abs=0.1) and loss.difference == pytest.approx(-0.1, abs=0.01)
    assert {metric.verdict for metric in found.metrics.values()} == {"better"}
    assert found.left_out == {}
    assert sentence(found) == (
        "On 60 test questions of both (30 independent topics), b against a is better by loss, perplexity, bits per "
        "byte, ROUGE-1, ROUGE-2, ROUGE-L and token F1."
    )
    assert notes(found)[0].startswith("The fine-tuned models of both runs")


def test_the_other_way_round_it_is_worse_by_as_much() -> None:
    a, b = run("a", rows()), run("b", rows(lift=0.1))
    there, back = judge_runs(a, b).metrics, judge_runs(b, a).metrics
    assert {metric.verdict for metric in back.values()} == {"worse"}
    for name, metric in there.items():
        assert metric.difference is not None and back[name].difference == pytest.approx(-metric.difference)


def test_a_run_against_a_copy_of_itself_is_better_by_nothing() -> None:
    found = judge_runs(run("a", rows()), run("b", rows()))
    assert not {metric.verdict for metric in found.metrics.values()} & {"better", "worse"}


def test_questions_that_either_run_takes_for_one_topic_are_one() -> None:
    other = rows(lift=0.1, group_id=["all" if n < 40 else f"x{n}" for n in range(60)])
    assert judge_runs(run("a", rows()), run("b", other)).groups == 1 + 10


def test_other_questions_are_judged_on_the_shared_ones_where_there_are_enough() -> None:
    found = judge_runs(run("a", rows()), run("b", rows(60, 0.1, start=30)))
    assert (found.questions, found.of_first, found.of_second, found.groups) == (30, 60, 60, 15)
    assert notes(found)[0] == (
        "The runs were tested on different questions, 60 and 60: all figures here are of the 30 that both have."
    )


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (run("b", rows(60, start=48)), "they share 12 of 60 and 60, on 6 independent topics"),
        (run("b", rows(60, start=60)), "a and b share no test question"),
        (run("b", rows(), "elsewhere"), r"tested on different data \(demo, elsewhere\)"),
        (run("b", rows().iloc[:0]), "b has no answers to compare"),
    ],
)
def test_what_cannot_be_compared_says_why(second: Measured, message: str) -> None:
    with pytest.raises(InputError, match=message):
        judge_runs(run("a", rows()), second)


def test_other_tokens_leave_bits_per_byte() -> None:
    """A tokenizer that needs twice the tokens for the same text: half the loss per token, as many bits per byte."""
    a = rows()
    b = rows(reference_tokens=100, fine_tuned_loss=a["fine_tuned_loss"] / 2)
    found = judge_runs(run("a", a), run("b", b))
    assert found.left_out == {"loss": "other tokens", "perplexity": "other tokens"}
    assert found.metrics["bits_per_byte"].difference == pytest.approx(0.0)
    assert "Loss and perplexity are left out: the runs cut the references into other tokens." in notes(found)


def test_other_text_leaves_no_loss_and_other_references_no_score() -> None:
    found = judge_runs(run("a", rows()), run("b", rows(reference_bytes=300, references=2)))
    assert not found.metrics
    assert found.left_out["bits_per_byte"] == "other text" and found.left_out["rougeL"] == "other references"
    assert "have no metric in common" in sentence(found)


def test_verdicts_between_equal_runs_are_seldom_false() -> None:
    """Null by construction: both runs draw their differences from one distribution, topic by topic."""
    random, false = np.random.default_rng(5), 0
    for _ in range(60):
        shift = random.normal(0, 0.1, 30).repeat(2)
        second = rows()
        for column in ("fine_tuned_loss", "fine_tuned_rougeL"):
            second[column] = second[column] + shift * random.choice([-1, 1], 30).repeat(2)
        found = judge_runs(run("a", rows()), run("b", second)).metrics
        false += any(metric.verdict in ("better", "worse") for metric in found.values())
    assert false <= 8
