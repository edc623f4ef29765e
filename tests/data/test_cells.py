"""What a cell says that is no answer."""

import pytest

from medqa_core.data.cells import is_bare_question, is_placeholder


@pytest.mark.parametrize("text", ["How might marsh fever be treated?", " Is it inherited? \n", "Ist es erblich?"])
def test_a_question_alone_is_told(text: str) -> None:
    assert is_bare_question(text)


@pytest.mark.parametrize(
    "text", ["", "With rest.", "Is it inherited? No.", "It is seldom seen. Is it inherited?", "- Lime juice\nWhy?"]
)
def test_a_question_beside_anything_else_is_an_answer(text: str) -> None:
    assert not is_bare_question(text)


@pytest.mark.parametrize(("text", "nothing"), [("N/A", True), (" -- ", True), ("NaN", True), ("None of it", False)])
def test_words_for_nothing_are_placeholders(text: str, nothing: bool) -> None:
    assert is_placeholder(text) is nothing
