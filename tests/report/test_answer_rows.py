"""Which answers are shown, in what order."""

import numpy as np
import pandas as pd
import pytest

from medqa_core.data.pairs import QAPair
from medqa_core.report.answer_rows import (
    Filters,
    choose,
    content_score,
    download,
    gain,
    measured,
    tally,
    used_references,
)
from tests.support.scenarios import shown_predictions


@pytest.fixture
def rows() -> pd.DataFrame:
    made = shown_predictions(6)
    made["base_rougeL"] = [0.1, 0.2, 0.3, 0.2, 0.1, np.nan]
    made["fine_tuned_rougeL"] = [0.3, 0.1, 0.3, 0.6, 0.2, 0.2]
    return made


def ids(rows: pd.DataFrame) -> list[int]:
    return [int(i[1:]) for i in rows["question_id"]]


def test_gain_is_up_for_better_also_for_a_loss(rows: pd.DataFrame) -> None:
    assert gain(rows, "rougeL").iloc[0] == pytest.approx(0.2)
    rows["base_loss"], rows["fine_tuned_loss"] = 2.0, 1.5
    assert gain(rows, "loss").tolist() == [0.5] * 6


def test_orders(rows: pd.DataFrame) -> None:
    assert ids(choose(rows, Filters(order="largest improvement"), None)) == [3, 0, 4, 2, 1, 5]
    assert ids(choose(rows, Filters(order="largest regression"), None)) == [1, 2, 4, 0, 3, 5]
    assert ids(choose(rows, Filters(order="as in the test set"), None)) == [0, 1, 2, 3, 4, 5]


def test_outcomes(rows: pd.DataFrame) -> None:
    assert ids(choose(rows, Filters(outcome="equal"), None)) == [2]
    assert ids(choose(rows, Filters(outcome="base scores higher"), None)) == [1]
    assert sorted(ids(choose(rows, Filters(outcome="fine-tuned scores higher"), None))) == [0, 3, 4]


def test_outcomes_on_content_take_the_first_score_that_says_so(rows: pd.DataFrame) -> None:
    rows["base_token_f1"] = [0.4, 0.1, 0.5, 0.1, np.nan, 0.39]
    rows["fine_tuned_token_f1"] = [0.1, 0.4, 0.5, 0.1, 0.9, 0.4]
    assert content_score(rows) == "token_f1"
    assert sorted(ids(choose(rows, Filters(outcome="only base right"), None))) == [0]
    assert sorted(ids(choose(rows, Filters(outcome="only fine-tuned right"), None))) == [1, 5]
    assert sorted(ids(choose(rows, Filters(outcome="both right"), None))) == [2]
    assert sorted(ids(choose(rows, Filters(outcome="neither right"), None))) == [3]


def test_without_a_score_no_answer_is_right(rows: pd.DataFrame) -> None:
    for name in measured(rows):
        rows[f"base_{name}"] = np.nan
    assert content_score(rows) is None
    assert choose(rows, Filters(outcome="neither right"), None).empty


def test_the_reference_used_may_differ_between_the_models_and_the_scores() -> None:
    references = ("uric acid crystals in a joint", "a painful swelling of the big toe")
    row = {"base_answer": "It is uric acid.", "fine_tuned_answer": "A painful swelling.", "other": 1}
    assert used_references(row, references, "rougeL") == {"base": 0, "fine_tuned": 1}
    assert used_references(row, references, "token_f1") == {"base": 0, "fine_tuned": 1}
    assert used_references(row, references, "loss") == {"base": 0, "fine_tuned": 0}
    assert used_references({"base_answer": None, "fine_tuned_answer": "toe"}, references, "rouge1") == {"fine_tuned": 1}
    assert used_references(row, references, "unheard_of") == {}


def test_filters(rows: pd.DataFrame) -> None:
    assert sorted(ids(choose(rows, Filters(types=("causes",)), None))) == [2, 5]
    assert choose(rows, Filters(sources=("elsewhere",)), None).empty


def test_search_looks_into_answers_questions_and_ids_and_is_no_pattern(rows: pd.DataFrame) -> None:
    pair = QAPair("q002", "d", "Gout", "causes", "What causes GOUT?", "Uric acid.", "starter")
    texts = {"q002": pair}
    assert ids(choose(rows, Filters(search="gout"), texts)) == [2]
    assert ids(choose(rows, Filters(search="  uric "), texts)) == [2]
    assert ids(choose(rows, Filters(search="tuned answer number 4"), None)) == [4]
    assert ids(choose(rows, Filters(search="Q003"), None)) == [3]
    assert choose(rows, Filters(search="(.*"), None).empty


def test_tally(rows: pd.DataFrame) -> None:
    found = tally(rows, "rougeL")
    assert (found.fine_tuned, found.base, found.equal, found.compared, found.questions) == (3, 1, 1, 5, 6)
    assert found.sentence() == (
        "The fine-tuned model has the higher ROUGE-L on 3 of 5 questions, the base model on 1; 1 is equal."
    )
    rows["base_loss"] = np.nan
    assert "was not measured" in tally(rows, "loss").sentence()


def test_download_has_the_texts_where_they_are_known(rows: pd.DataFrame) -> None:
    pair = QAPair("q002", "d", "Gout", "causes", "What causes gout?", "Uric acid.", "starter")
    frame = download(rows, {"q002": pair})
    assert frame["question"].tolist()[2] == "What causes gout?" and frame["question"].tolist()[0] == ""
    assert download(rows, None)["reference"].eq("").all()
