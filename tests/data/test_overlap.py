"""How much of a text stands word for word in others."""

import pytest

from medqa_core.data.overlap import COPIED_RUN, CopyIndex, N, NgramIndex

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


def test_a_copy_names_where_it_is_from() -> None:
    index = CopyIndex([("other", " ".join(WORDS[::-1])), ("source", " ".join(WORDS)), ("twin", " ".join(WORDS))])
    assert index.nearest(" ".join(WORDS)) == (1, "source")
    assert index.nearest("Word3, WORD4 -- " + " ".join(WORDS[5:12])) == (1, "source")
    assert index.nearest("all of this is new and stands nowhere else in the texts") == (0, None)


def test_words_in_copied_runs_count_and_runs_from_two_texts_do_not_add_up() -> None:
    index = CopyIndex([("a", " ".join(WORDS[:20])), ("b", " ".join(WORDS[20:]))])
    text = " ".join([*WORDS[:12], "new", "new", *WORDS[20:28]])
    assert index.nearest(text) == (12 / 22, "a")
    exchanged = " ".join("name" if n == 9 else word for n, word in enumerate(WORDS[:18]))
    assert index.nearest(exchanged) == (17 / 18, "a")  # runs of nine and of eight words around one exchanged name


def test_fewer_words_than_a_run_are_copied_only_as_a_whole() -> None:
    index = CopyIndex([("short", "It is inherited."), ("long", " ".join(WORDS))])
    assert index.nearest("it is INHERITED") == (1, "short")
    assert index.nearest(" ".join(WORDS[: COPIED_RUN - 1])) == (0, None)
    assert index.nearest("") == (0, None)
