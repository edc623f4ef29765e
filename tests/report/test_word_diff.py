"""Words that two texts share, or do not."""

import pytest

from medqa_core.report.word_diff import Piece, differing, shared


def marks(pieces: list[Piece]) -> str:
    return "".join(f"<mark>{piece.text}</mark>" if piece.marked else piece.text for piece in pieces)


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        ("same words", "same words", "same words"),
        ("Same, words.", "same words", "Same, words."),
        ("one two three", "one three", "one <mark>two</mark> three"),
        ("a b c d", "a d", "a <mark>b c</mark> d"),
        ("all new", "", "<mark>all new</mark>"),
        ("", "x", ""),
    ],
)
def test_word_differences(text: str, other: str, expected: str) -> None:
    assert marks(differing(text, other)) == expected


def test_shared_words() -> None:
    assert marks(shared("one two three", "zero two")) == "one <mark>two</mark> three"


def test_long_texts_are_shown_whole() -> None:
    text = " ".join(f"w{n}" for n in range(4000))
    assert "".join(piece.text for piece in differing(text, text[:5000])) == text
