"""Answers cut into passages: short, whole sentences, nothing lost, links only to the web."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medqa_core.answering.retrieval.passages import FEW, MOST_CHARACTERS, WORDS, Passage, passages_of, pieces
from tests.support.qa_pairs import pair

SENTENCE = "Ten words make up each of these sentences in here."


def test_a_passage_says_where_it_is_from() -> None:
    rest = pair(1, answer="Rest helps.", topic="Colds", url="https://example.org/colds")
    assert passages_of([rest]) == [
        Passage("Rest helps.", "Colds", rest.question, "p0001", "made", "https://example.org/colds", 0.0, rest.document)
    ]


def test_cut_at_sentence_ends() -> None:
    found = pieces(" ".join([SENTENCE] * 20))
    assert found == [" ".join([SENTENCE] * 8), " ".join([SENTENCE] * 8), " ".join([SENTENCE] * 4)]


def test_a_short_end_goes_to_the_piece_before_it() -> None:
    assert pieces(" ".join([SENTENCE] * 9)) == [" ".join([SENTENCE] * 9)]


def test_quotes_and_brackets_stay_with_their_sentence() -> None:
    long = "x " * 78
    assert pieces(f'{long}said "stop." Then {"y " * 40}(slowly.) Go.') == [
        f'{long}said "stop."',
        f"Then {'y ' * 40}(slowly.) Go.",
    ]


def test_a_decimal_point_ends_no_sentence() -> None:
    assert pieces(f"{'x ' * 76}take 2.5 mg e.g. daily. Then rest {'y ' * 20}.")[0].endswith("2.5 mg e.g.")
    assert pieces("Take 2.5 mg.") == ["Take 2.5 mg."]


def test_a_sentence_that_is_too_long_is_cut_between_words() -> None:
    found = pieces(" ".join(f"w{n}" for n in range(200)))
    assert [len(piece.split()) for piece in found] == [WORDS, WORDS, 40]


def test_a_script_without_spaces_is_cut_too() -> None:
    assert max(map(len, pieces("\u75db" * 3000))) == MOST_CHARACTERS


@pytest.mark.parametrize("answer", ["", "  \n", "...", "\u2014 !"])
def test_an_answer_without_a_word_has_no_passage(answer: str) -> None:
    assert pieces(answer) == []


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ftp://example.org",
        "https://a.org/\nx",
        'http://a"b',
        "//a",
    ],
)
def test_what_is_no_web_address_is_not_kept(url: str | None) -> None:
    assert passages_of([pair(1, url=url)])[0].url is None


@given(st.lists(st.sampled_from(["a", "end.", "(So.)", "What?", '"Yes!"', "2.5", "\u00e9t\u00e9", "Then"]), min_size=1))
@settings(max_examples=60, deadline=None)
def test_no_word_is_lost_and_no_piece_is_long(chosen: list[str]) -> None:
    found = pieces(" ".join(chosen * 9))
    assert " ".join(found).split() == chosen * 9
    assert all(len(piece.split()) <= WORDS + FEW for piece in found)
