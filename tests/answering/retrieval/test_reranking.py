"""Passages are ranked once more by what their headings ask beside the topic."""

from dataclasses import replace

import pytest

from medqa_core.answering.retrieval.bm25 import BM25
from medqa_core.answering.retrieval.embeddings import Embeddings
from medqa_core.answering.retrieval.passages import Passage, passages_of
from medqa_core.answering.retrieval.reranking import DEPTH, Reranked, reranked
from medqa_core.answering.retrieval.retriever import by_words
from medqa_core.data.pairs import QAPair
from tests.support.qa_pairs import pair

CAUSES = pair(1, topic="Gout", question="What causes Gout ?", answer="Crystals of uric acid in a joint.")
TREATMENT = pair(
    2, topic="Gout", question="What are the treatments for Gout ?",
    answer="What causes gout is treated too: gout causes pain, and gout causes swelling.",
)  # fmt: skip
WHAT = pair(3, topic="Gout", question="What is (are) Gout ?", answer="An illness of the joints, and it can be painful.")
OTHER = pair(4, topic="Scurvy", question="What causes Scurvy ?", answer="Too little vitamin C.")
ALL = (TREATMENT, CAUSES, WHAT, OTHER)


def over(*pairs: QAPair) -> Reranked:
    return Reranked(BM25(passages_of(pairs)))


def first(search: Reranked | BM25, question: str) -> str:
    return search.search(question, 1)[0].question_id


def test_what_is_asked_decides_among_a_topics_passages() -> None:
    library = over(*ALL)
    assert first(library.plain, "What causes gout?") == TREATMENT.id, "by its words alone"
    assert first(library, "What causes gout?") == CAUSES.id


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("cause of gout", CAUSES),
        ("How is gout treated?", TREATMENT),
        ("gout treatment", TREATMENT),
        ("What is gout?", WHAT),
        ("gout", WHAT),
    ],
)
def test_other_wordings_ask_the_same(asked: str, found: QAPair) -> None:
    assert first(over(*ALL), asked) == found.id


def test_another_topics_heading_does_not_outweigh_the_topic() -> None:
    assert first(over(TREATMENT, OTHER), "What causes gout?") == TREATMENT.id


def test_passages_without_a_heading_keep_their_order_and_score() -> None:
    pages = [Passage(text, "Leaflet", "", text, "a.txt", None, score=score) for text, score in (("a", 2.0), ("b", 1.0))]
    assert reranked("What is in the leaflet?", pages, {}) == pages


def test_a_score_is_never_lowered_and_orders_the_passages() -> None:
    library = over(*ALL)
    plain = {one.question_id: one.score for one in library.plain.search("What causes gout?", DEPTH)}
    found = library.search("What causes gout?", DEPTH)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(one.score >= plain[one.question_id] for one in found)


LONG = pair(
    5, topic="Gout", question="What causes Gout ?",
    answer=f"Crystals of uric acid. {'They grow slowly. ' * 30}Gout is gout: what causes gout, causes gout again.",
)  # fmt: skip


@pytest.mark.parametrize(
    ("question", "beginning"), [("What causes gout?", "Crystals of"), ("gout again and again", "They grow")]
)
def test_an_answer_to_what_is_asked_is_read_from_its_beginning(question: str, beginning: str) -> None:
    (found,) = over(LONG).search(question)
    assert found.text.startswith(beginning) and found.question_id == LONG.id


def test_beginnings_that_are_alike_are_given_once() -> None:
    twins = [replace(LONG, id=f"twin {n}", answer=f"{LONG.answer} Gout, part {n}.") for n in range(3)]
    found = over(*twins).search("What causes gout?", 3)
    assert len({one.text for one in found}) == len({one.question_id for one in found}) == 3


@pytest.mark.parametrize("k", [0, 1, 3, DEPTH, DEPTH + 20])
def test_more_passages_begin_with_the_fewer(k: int) -> None:
    many = [pair(n, topic="Gout", question=f"What of {n}?", answer=f"Gout, part {n}.") for n in range(DEPTH + 30)]
    library = over(*many)
    all_of_them = library.search("gout", len(many))
    assert library.search("gout", k) == all_of_them[:k]
    assert len({one.question_id for one in all_of_them}) == len(many)


@pytest.mark.parametrize("question", ["", "?!", "zebra"])
def test_nothing_is_found_where_no_word_fits(question: str) -> None:
    assert over(*ALL).search(question) == []
    assert Reranked(BM25([])).search(question) == []


def test_it_says_what_it_does_and_leads_back_to_the_words_alone() -> None:
    library = over(*ALL)
    assert library.name == "BM25, reranked by heading" and library.method.startswith(library.plain.method)
    assert by_words(library) is library.plain and by_words(library.plain) is library.plain
    assert library.least_match == BM25.least_match and library.passages == library.plain.passages
    assert library.match("gout", library.passages[0]) == library.plain.match("gout", library.passages[0])
    embedded = Embeddings.__new__(Embeddings)
    assert by_words(embedded) is embedded
