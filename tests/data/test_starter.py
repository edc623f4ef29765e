"""The starter set keeps its promises: enough of it, no duplicates, no doses, and no topic on two sides of a split."""

import re
from collections import Counter

import pytest

from medqa_core.data import starter
from medqa_core.data.pairs import PairSet, normalise, tidy
from medqa_core.data.split import grouped_split

DOSE = re.compile(r"\d+(\.\d+)? ?(mg|ml|mcg|µg|g|iu|units?|milligrams?|millilit\w+|tablets?|drops?)\b", re.IGNORECASE)
QUESTION_TYPES = {
    "information", "symptoms", "causes", "treatment", "exams and tests", "prevention", "outlook", "complications",
    "susceptibility", "considerations", "usage", "side effects",
}  # fmt: skip


@pytest.fixture(scope="module")
def data() -> PairSet:
    return starter.load()


def test_there_is_enough_of_it(data: PairSet) -> None:
    assert len(data.pairs) >= 400
    assert len({normalise(pair.topic) for pair in data.pairs}) >= 100
    assert data.pairs_parsed == data.pairs_answered == len(data.pairs)


def test_ids_are_unique_and_plain(data: PairSet) -> None:
    ids = [pair.id for pair in data.pairs]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"starter:[a-z0-9-]+", id_) for id_ in ids)


def test_no_question_and_no_answer_stands_twice(data: PairSet) -> None:
    assert data.duplicates_dropped == 0
    for texts in ([pair.question for pair in data.pairs], [pair.answer for pair in data.pairs]):
        assert [text for text, count in Counter(map(normalise, texts)).items() if count > 1] == []


def test_lengths(data: PairSet) -> None:
    assert {pair.id for pair in data.pairs if not 10 <= len(pair.question) <= 120} == set()
    assert {pair.id for pair in data.pairs if not 150 <= len(pair.answer) <= 600} == set()


def test_types(data: PairSet) -> None:
    assert {pair.question_type for pair in data.pairs} == QUESTION_TYPES
    assert min(Counter(pair.question_type for pair in data.pairs).values()) >= 5


def test_a_topic_has_one_pair_of_a_type_and_says_what_it_is(data: PairSet) -> None:
    seen = Counter((pair.topic, pair.question_type) for pair in data.pairs)
    assert [key for key, count in seen.items() if count > 1] == []
    topics = {pair.topic for pair in data.pairs}
    assert {topic for topic in topics if (topic, "information") not in seen} == set()
    assert len({normalise(topic) for topic in topics}) == len(topics)


def test_texts_are_plain_sentences(data: PairSet) -> None:
    for pair in data.pairs:
        for text in (pair.topic, pair.question, pair.answer):
            assert text.isascii(), pair.id
            assert text == tidy(text), pair.id
            assert text.isprintable(), pair.id
        assert pair.question.endswith("?"), pair.id
        assert pair.answer.endswith("."), pair.id


def test_no_dose_anywhere(data: PairSet) -> None:
    assert DOSE.search("Take 500 mg twice a day.")
    assert [pair.id for pair in data.pairs if DOSE.search(f"{pair.question} {pair.answer}")] == []


@pytest.mark.parametrize("sizes", [(None, None, None), (300, 40, 60)])
@pytest.mark.parametrize("seed", [0, 1, 42, 2**32 - 1])
def test_no_topic_straddles_a_split(data: PairSet, seed: int, sizes: tuple[int | None, int | None, int | None]) -> None:
    parts = grouped_split(data.pairs, sizes, seed)
    where = [{normalise(pair.topic) for pair in part} for part in (parts.train, parts.validation, parts.test)]
    assert all(where)
    assert not (where[0] & where[1] or where[0] & where[2] or where[1] & where[2])
