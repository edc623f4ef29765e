"""A question's pattern, and an answer with another topic in it."""

import pytest

from medqa_core.data.patterns import pattern, with_topic


@pytest.mark.parametrize(
    ("question", "topic", "expected"),
    [
        ("What causes Marn fever?", "Marn Fever", "what causes [topic]"),
        ("Is Marn fever (MF) inherited?", "Marn fever", "is [topic] mf inherited"),
        ("Marn, marn and Marn", "marn", "[topic] [topic] and [topic]"),
        ("What is it?", "Marn fever", "what is it"),
        ("What is it?", "", "what is it"),
        ("", "Marn", ""),
        ("ما هو الربو؟", "الربو", "ما هو [topic]"),
    ],
)
def test_the_topic_is_taken_out(question: str, topic: str, expected: str) -> None:
    assert pattern(question, topic) == expected


@pytest.mark.parametrize(
    ("text", "topic", "other", "expected"),
    [
        (
            "Marn fever is rare; MARN FEVER passes.",
            "Marn fever",
            "Tol's ache",
            "Tol's ache is rare; Tol's ache passes.",
        ),
        ("Nothing of it.", "Marn fever", "Tol", "Nothing of it."),
        ("Feverfew is no fever.", "fever", "ache", "Feverfew is no ache."),
        ("Marn.", "", "Tol", "Marn."),
    ],
)
def test_another_topic_is_pasted_in(text: str, topic: str, other: str, expected: str) -> None:
    assert with_topic(text, topic, other) == expected
