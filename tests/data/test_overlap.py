"""How much of a text stands word for word in others."""

import pytest

from medqa_core.data.overlap import N, NgramIndex

WORDS = [f"word{n}" for n in range(40)]


def test_a_copy_overlaps_whole_and_a_stranger_not_at_all() -> None:
    index = NgramIndex([" ".join(WORDS)])
    assert index.share(" ".join(WORDS)) == 1
    assert index.share("Word3, WORD4 word5 -- " + " ".join(WORDS[6:20])) == 1
    assert index.share(" ".join(WORDS[::-1])) == 0


def test_half_a_copy_counts_its_ngrams() -> None:
    index = NgramIndex([" ".join(WORDS[:20])])
    text = " ".join(WORDS[:20] + ["new"] * 20)
    assert index.share(text) == pytest.approx((20 - N + 1) / (40 - N + 1))


def test_a_short_text_counts_only_as_a_whole() -> None:
    index = NgramIndex(["It is inherited.", " ".join(WORDS)])
    assert index.share("it is INHERITED") == 1
    assert index.share("It is") == 0
    assert index.share(" ".join(WORDS[: N - 1])) == 0


def test_no_words_overlap_with_nothing() -> None:
    index = NgramIndex(["", "?!"])
    assert index.share("") == 0
    assert index.share("…") == 0
    assert index.share("word") == 0


def test_another_length() -> None:
    assert NgramIndex(["a b c d"], n=2).share("b c e") == 0.5
