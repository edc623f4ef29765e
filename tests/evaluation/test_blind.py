"""A blind vote: nothing is told before it, each comparison has one, and what is saved is what was chosen."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medqa_core.answering.compare import Answer, Answers, Column, FinishReason
from medqa_core.answering.question import Question
from medqa_core.data.lookup import split_of
from medqa_core.data.pairs import references_of
from medqa_core.evaluation.blind import (
    BlindComparison,
    any_test_question,
    has_test_questions,
    matching_test_question,
    votable,
    vote,
)
from medqa_core.evaluation.text_metrics import answer_scores
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import Variant
from medqa_core.runs.artifacts.votes import VOTES
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.answers import provenance

pytestmark = pytest.mark.usefixtures("no_network")
GOUT = Question.checked("What helps against gout at night?")


@pytest.fixture
def run(smoke: Run, tmp_path: Path) -> Run:
    """A copy of the smoke run, which votes may be written to."""
    shutil.copytree(smoke.folder, tmp_path / "smoke")
    return RunStore(tmp_path).open("smoke")


def answer(variant: Variant, text: str, finish_reason: FinishReason | None = "stop") -> Answer:
    return Answer(text, 3, 1.0, finish_reason, provenance(variant))


def compared(question: Question = GOUT, reason: FinishReason | None = "stop", **changes: Any) -> BlindComparison:
    answers = Answers({"base": answer("base", "Rest.", reason), "fine_tuned": answer("fine_tuned", "Ice and rest.")})
    return BlindComparison("smoke", question, answers=answers, **changes)


def rows(run: Run) -> list[dict[str, Any]]:
    import json

    return [json.loads(line) for line in (run.folder / VOTES).read_text().splitlines()]


def test_both_orders_come_up_and_no_comparison_is_like_another() -> None:
    made = [BlindComparison("smoke", GOUT) for _ in range(60)]
    assert {(one.left, one.right) for one in made} == {("base", "fine_tuned"), ("fine_tuned", "base")}
    assert len({one.id for one in made}) == 60


@pytest.mark.parametrize(("left", "right"), [("base", "fine_tuned"), ("fine_tuned", "base")])
def test_a_vote_is_saved_and_tells_which_model_answered(run: Run, lab: Settings, left: Variant, right: Variant) -> None:
    result = vote(compared(left=left), "left", run, lab)
    assert (result.left, result.right, result.rouge_l, result.winner) == (left, right, None, left)
    (row,) = rows(run)
    assert (row["left"], row["choice"], row["question"], row["question_id"]) == (left, "left", None, None)
    assert (row["base_sha256"], row["fine_tuned_sha256"]) == ("0" * 64, "1" * 64)


def test_the_question_is_saved_where_the_host_says_so(run: Run, lab: Settings) -> None:
    vote(compared(), "tie", run, replace(lab, keep_questions=True))
    assert rows(run)[0]["question"] == GOUT.text


def test_a_vote_on_a_test_question_comes_with_its_scores(run: Run, lab: Settings) -> None:
    data, parts = split_of(run.record, lab)
    pair = parts.test[0]
    question = Question.checked(f"  {pair.question.upper()}")
    found = matching_test_question(run, question, lab)
    assert found is not None and found[0] == pair and list(found[1]) == list(references_of([pair], data.pairs)[0])
    result = vote(compared(question), "right", run, lab)
    base, tuned = answer_scores(["Rest.", "Ice and rest."], [found[1], found[1]])
    assert result.rouge_l == {"base": base["rougeL"], "fine_tuned": tuned["rougeL"]}
    (row,) = rows(run)
    assert (row["question_id"], row["base_rougeL"], row["fine_tuned_rougeL"]) == (
        pair.id, base["rougeL"], tuned["rougeL"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("blind", "choice", "said"),
    [
        (compared(), "Left", "A vote is one of: left, right, tie, both bad."),
        (BlindComparison("smoke", GOUT), "left", "There are no two whole answers to vote on: ask first."),
        (compared(reason="cancelled"), "left", "There are no two whole answers to vote on: ask first."),
        (compared(reason=None), "left", "There are no two whole answers to vote on: ask first."),
    ],
)
def test_what_is_no_vote_is_not_saved(run: Run, lab: Settings, blind: BlindComparison, choice: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        vote(blind, choice, run, lab)
    assert str(caught.value) == said
    assert not (run.folder / VOTES).exists()


def test_an_answer_at_the_token_limit_is_whole(run: Run, lab: Settings) -> None:
    vote(compared(reason="length"), "both bad", run, lab)
    assert rows(run)[0]["choice"] == "both bad"


def test_a_third_answer_is_not_voted_on(run: Run, lab: Settings) -> None:
    asked = compared()
    assert asked.answers is not None
    third: dict[Column, Answer] = {"with_sources": answer("fine_tuned", "No passage found.", "no_passage")}
    beside = replace(asked.answers, by_column={**asked.answers.by_column, **third})
    vote(replace(asked, answers=beside), "left", run, lab)
    assert len(rows(run)) == 1 and votable(beside) and not votable(Answers({}))


def test_one_comparison_has_one_vote(run: Run, lab: Settings) -> None:
    blind = compared()
    vote(blind, "left", run, lab)
    with pytest.raises(InputError):
        vote(blind, "right", run, lab)
    assert len(rows(run)) == 1


def test_a_test_question_is_one_of_the_runs(run: Run, lab: Settings) -> None:
    questions = {pair.question for pair in split_of(run.record, lab)[1].test}
    drawn = {any_test_question(run, lab) for _ in range(40)}
    assert drawn <= questions and len(drawn) > 1 and has_test_questions(run, lab)
    record = run.record.model_copy(update={"data": None, "config": None})
    assert not has_test_questions(replace(run, record=record), lab)
