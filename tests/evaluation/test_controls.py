"""Answers without a model: typical and nearest training answers, and models judged against them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medqa_core.data.pairs import QAPair
from medqa_core.data.split import Split
from medqa_core.evaluation.content import Content
from medqa_core.evaluation.controls import control_answers, control_columns, cut, most_words
from medqa_core.evaluation.controls_judged import COMPARED, NO_ANSWER, judge_controls
from tests.support.form_letters import LETTER, letters


def split(train: list[QAPair], test: list[QAPair]) -> Split:
    return Split(tuple(train), (), tuple(test), {one.id: one.document for one in (*train, *test)})


def asked(topic: str, **changes: str) -> QAPair:
    values: dict[str, Any] = {
        "id": f"test:{topic}",
        "document": topic,
        "topic": topic,
        "question": f"What causes {topic}?",
    }
    return replace(letters()[0], **{**values, **changes})


def test_the_typical_answer_has_the_topic_pasted_in() -> None:
    found = control_answers(split(letters(), [asked("Zot")]), 12)["template_answer"]
    assert found.texts == [LETTER.format("Zot")]
    assert found.ids == ["made:0"]  # all are as typical: the first by id


def test_the_typical_answer_shares_most_with_the_others() -> None:
    odd = [replace(letters()[0], id=f"made:-{n}", answer=f"Nobody knows{n}.") for n in range(3)]
    found = control_answers(split([*odd, *letters()], [asked("Zot")]), 12)["template_answer"]
    assert found.texts == [LETTER.format("Zot")]


def test_a_pattern_that_training_lacks_takes_the_types_and_then_any_answer() -> None:
    of_type = asked("Zot", question="Where does Zot come from?")
    of_none = asked("Yim", question="Where does Yim come from?", question_type="other")
    found = control_answers(split(letters(), [of_type, of_none]), 12)["template_answer"]
    assert found.texts == [LETTER.format("Zot"), LETTER.format("Yim")]


def test_the_nearest_training_question_answers() -> None:
    train = [*letters(), replace(letters()[1], id="made:cure", question="How is Bem cured?", answer="By rest.")]
    found = control_answers(split(train, [asked("Bem", question="Is Bem cured?"), asked("Zzz", question="?")]), 12)
    assert found["nearest_answer"].texts == ["By rest.", ""]
    assert found["nearest_answer"].ids == ["made:cure", None]


def test_without_training_pairs_there_is_no_answer() -> None:
    assert control_answers(split([], [asked("Zot")]), 12) == {}


def test_answers_are_cut_to_what_a_model_has_room_for() -> None:
    assert (most_words(128), most_words(1)) == (80, 1)
    assert cut("one  two\nthree", 2) == "one two"


def test_texts_of_training_are_not_kept() -> None:
    parts = split(letters(), [asked("Zot")])
    made = control_answers(parts, 12)["template_answer"]
    columns = control_columns(made, parts.test, [("Red spots",)], Content.of(letters()))
    assert columns["id"] == ["made:0"]
    assert not any(isinstance(value, str) for name, values in columns.items() if name != "id" for value in values)


def rows(tuned: float, control: float, n: int = 40) -> pd.DataFrame:
    """Both models and one control with steady scores: the base's is 0.2, with some noise."""
    noise = np.linspace(-0.01, 0.01, n)
    columns: dict[str, object] = {
        "question_id": [f"q{place}" for place in range(n)],
        "group_id": [f"g{place}" for place in range(n)],
        "template_answer_id": ["made:0"] * n,
        "template_answer_words": [12] * n,
    }
    for name in COMPARED:
        columns |= {f"base_{name}": 0.2 + noise, f"fine_tuned_{name}": tuned - noise}
        columns |= {f"template_answer_{name}": control + noise * 0.5}
    return pd.DataFrame(columns)


def test_a_model_below_the_control_is_worse_and_one_above_it_better() -> None:
    found = judge_controls(rows(0.4, 0.3), None)
    assert list(found) == ["template_answer"]
    control = found["template_answer"]
    assert control.base["rougeL"].verdict == "worse" and control.fine_tuned["rougeL"].verdict == "better"
    assert control.fine_tuned["rougeL"].difference == pytest.approx(0.1)
    assert control.values["rougeL"] == pytest.approx(0.3)
    assert (control.answered, control.mean_words, control.with_sources) == (40, 12, {})


def test_an_answer_equal_to_the_control_is_not_better() -> None:
    equal = rows(0.3, 0.3).assign(**{f"fine_tuned_{name}": 0.3 for name in COMPARED})
    equal = equal.assign(**{f"template_answer_{name}": 0.3 for name in COMPARED})
    control = judge_controls(equal, None)["template_answer"]
    assert control.fine_tuned["rougeL"].difference == 0
    assert control.fine_tuned["rougeL"].verdict in ("equivalent", "cannot tell")


def test_a_control_that_has_no_answer_says_so() -> None:
    none = rows(0.4, 0.0).assign(template_answer_id=None)
    assert judge_controls(none, None)["template_answer"].reason == NO_ANSWER


def test_older_rows_have_no_controls() -> None:
    older = rows(0.4, 0.3).drop(columns=[f"template_answer_{name}" for name in COMPARED])
    assert judge_controls(older, None) == {}
    assert judge_controls(rows(0.4, 0.3)[:0], None) == {}


def test_the_first_passage_is_a_control_of_the_answers_with_sources() -> None:
    read = pd.DataFrame({"question_id": [f"q{place}" for place in range(20)], "group_id": [str(n) for n in range(20)]})
    noise = np.linspace(-0.01, 0.01, 20)
    for name in COMPARED:
        read = read.assign(**{name: 0.5 + noise, f"top_passage_{name}": 0.6 - noise})
    found = judge_controls(rows(0.4, 0.3), read.assign(top_passage_words=30))
    assert list(found) == ["template_answer", "top_passage"]
    assert found["top_passage"].with_sources["rougeL"].verdict == "worse"
    assert found["top_passage"].fine_tuned["rougeL"].n == 20
