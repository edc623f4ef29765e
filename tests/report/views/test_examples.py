"""Two answers for the summary: chosen by rank, whatever they say."""

from pathlib import Path

import numpy as np
import pytest

from medqa_core.report.document.answer_tables import two_answers
from medqa_core.report.document.write_up import write_up
from medqa_core.report.facts import Facts
from medqa_core.report.views.examples import examples
from medqa_core.report.wording.examples import right_means, rule
from tests.support.runs import RunBuilder
from tests.support.scenarios import REPORTED


@pytest.fixture
def build(tmp_path: Path) -> RunBuilder:
    return RunBuilder(tmp_path / "reports", REPORTED)


def facts_of(build: RunBuilder, **columns: object) -> Facts:
    run = build.finished("a")
    build.predictions(run, 60, **columns)
    return Facts.of(run)


def test_a_tenth_of_the_answers_is_better_and_a_tenth_is_worse(build: RunBuilder) -> None:
    scores = np.arange(60) / 100
    found = examples(facts_of(build, base_token_f1=0.2, fine_tuned_token_f1=scores))
    assert found is not None
    assert (found.place, found.n, found.score) == (6, 60, "token_f1")
    assert (found.better["fine_tuned_token_f1"], found.worse["fine_tuned_token_f1"]) == (0.54, 0.05)
    assert rule(found) == (
        "Chosen by rank, not by hand: of 60 answers of the fine-tuned model, ordered by token F1, number 6 from the "
        "top and number 6 from the bottom. No one has checked what they say."
    )
    table = two_answers(found)
    assert table.texts[0][-2:] == ("0.2000", "0.5400")
    assert str(found.better["question_id"]) in table.texts[0][1]


def test_answers_that_all_score_the_same_are_not_told_apart(build: RunBuilder) -> None:
    facts = facts_of(build, base_token_f1=0.2, fine_tuned_token_f1=0.0)
    assert examples(facts) is None
    assert "Two answers" not in [section.title for section in write_up(facts).sections]


def test_of_two_answers_the_best_and_the_worst(build: RunBuilder) -> None:
    run = build.finished("two")
    build.predictions(run, 2, base_token_f1=0.1, fine_tuned_token_f1=[0.1, 0.3])
    found = examples(Facts.of(run))
    assert found is not None and "the best and the worst" in rule(found)


def test_what_counts_as_right_is_said_with_its_limit() -> None:
    assert right_means("token_f1").startswith("Right means here: token F1 of 0.40 or more, which standard phrases")
    assert right_means(None) == "This run has no score by which an answer could count as right."
