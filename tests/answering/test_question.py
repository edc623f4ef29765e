"""What may be asked, whoever asks."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medqa_core.answering.question import MAX_CHARACTERS, GenerationSettings, Question
from medqa_core.foundation.errors import InputError, QuestionRefused


def refusal(question: object) -> str:
    with pytest.raises(QuestionRefused) as caught:
        Question.checked(question)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize("question", [None, 5, 1.5, True, b"What?", ["What?"], {"text": "What?"}, object()])
def test_what_is_not_text(question: object) -> None:
    assert refusal(question) == "The question must be text."


@pytest.mark.parametrize(
    "question", ["", " ", "\n\t\r\x0b", "\u00a0\u2003\u3000", "\u200b\u200d\ufeff", "\x00\x07\x1b"]
)
def test_nothing(question: str) -> None:
    assert refusal(question).startswith("The question is empty")


@pytest.mark.parametrize("question", ["?", "…!?", "🫀🫁🧠", "❤️ 👩‍⚕️", "— “ ”"])
def test_no_letter_and_no_digit(question: str) -> None:
    assert refusal(question) == "The question has no letter or digit in it."


@pytest.mark.parametrize("length", [MAX_CHARACTERS + 1, 4 * MAX_CHARACTERS + 1, 100_000])
def test_too_long(length: int) -> None:
    assert refusal("a" * length).startswith(f"The question has {length:,} characters; at most 1,000 are read.")


def test_padding_does_not_count_until_it_is_absurd() -> None:
    assert Question.checked(" " * 1000 + "a" * MAX_CHARACTERS + "\n" * 1000).text == "a" * MAX_CHARACTERS
    assert "100,000 characters" in refusal(" " * 99_999 + "a")


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        ("  What is\tgout ?\r\n", "What is gout ?"),
        ("What\x00 is\x1b[31m gout\x7f?", "What is[31m gout?"),
        ("\u202eWhat\u202c is \u2066gout\u2069?", "What is gout?"),
        ("a\ud800b \U000e0041c \ue000d", "ab c d"),
        ("What is µg/mL?", "What is µg/mL?"),
        ("痛風とは何ですか", "痛風とは何ですか"),
        ("What is ❤️ failure?", "What is ❤️ failure?"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_only_what_cannot_be_seen_is_dropped(asked: str, read: str) -> None:
    assert Question.checked(asked).text == read


@settings(deadline=None)
@given(st.text(max_size=1200))
def test_any_text_is_refused_or_becomes_one_clean_line(text: str) -> None:
    try:
        question = Question.checked(text)
    except QuestionRefused:
        return
    assert question == Question.checked(question.text)
    found = question.text
    assert 0 < len(found) <= MAX_CHARACTERS
    assert len(found.splitlines()) == 1
    found.encode("utf-8")


def test_the_defaults_are_the_evaluations() -> None:
    assert GenerationSettings.checked() == GenerationSettings(
        temperature=0, max_new_tokens=128, seed=42, precision="float32"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1), ("temperature", 2.1), ("temperature", math.nan), ("temperature", math.inf),
        ("temperature", "hot"), ("temperature", None),
        ("max_new_tokens", 0), ("max_new_tokens", 513), ("max_new_tokens", 1.5), ("max_new_tokens", 10**30),
        ("precision", "int4"), ("precision", None),
        ("seed", -1), ("seed", 2**32), ("seed", "x"), ("seed", [1]),
        ("top_k", 5),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused_in_one_line(name: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        GenerationSettings.checked(**{name: value})
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("values", [{"temperature": 0}, {"temperature": 2}, {"max_new_tokens": 512}, {"seed": 0}])
def test_the_ends_of_the_ranges_are_in(values: dict[str, int]) -> None:
    GenerationSettings.checked(**values)
