"""The search by words: what fits is found, what does not is not."""

from pathlib import Path

import pytest

from medqa_core.answering.retrieval.bm25 import BM25
from medqa_core.answering.retrieval.passages import Passage, passages_of
from medqa_core.data.pairs import QAPair
from tests.support.qa_pairs import pair

pytestmark = pytest.mark.usefixtures("no_network")

GOUT = pair(1, topic="Gout", question="What helps against gout?", answer="Ice and rest ease an attack.")
ASTHMA = pair(2, topic="Asthma", question="What is asthma?", answer="The airways are narrow.")
FLU = pair(3, topic="Influenza", question="Who gets influenza?", answer="Anyone, mostly in winter.")


def index(*pairs: QAPair) -> BM25:
    return BM25(passages_of(pairs))


def found(retriever: BM25, question: str, k: int = 3) -> list[str]:
    return [passage.question_id for passage in retriever.search(question, k)]


def test_the_passage_that_fits_comes_first_with_its_score() -> None:
    best, second = index(ASTHMA, GOUT, FLU).search("Does ice help against gout, or asthma?")
    assert (best.question_id, second.question_id) == (GOUT.id, ASTHMA.id)
    assert best.score > second.score > 0
    assert best.text == GOUT.answer


@pytest.mark.parametrize("where", ["Winter?", "Influenza?"])
def test_text_topic_and_question_are_searched(where: str) -> None:
    assert found(index(ASTHMA, GOUT, FLU), where) == [FLU.id]


@pytest.mark.parametrize("question", ["", "  ", "?!", "What is the", "Where are zebras kept?", "\x00", "\U0001f600"])
def test_nothing_is_found_where_no_word_fits(question: str) -> None:
    assert index(ASTHMA, GOUT, FLU).search(question) == []


@pytest.mark.parametrize("passages", [[], [GOUT]])
def test_an_index_of_next_to_nothing(passages: list[QAPair]) -> None:
    assert found(index(*passages), "gout") == [one.id for one in passages]


def test_passages_of_stop_words_alone_are_never_found() -> None:
    only = pair(4, topic="", question="What is it?", answer="That is it.")
    assert found(index(only), "What is it?") == []
    assert found(index(only, GOUT), "What is it, gout?") == [GOUT.id]


def test_a_letter_may_be_a_name() -> None:
    vitamins = [
        pair(n, topic=f"Vitamin {name}", question="Vitamin?", answer="It is one.") for n, name in enumerate("CD")
    ]
    assert found(index(*vitamins), "What is Vitamin D?", 1) == [vitamins[1].id]


def test_k_is_the_most_that_is_given() -> None:
    many = [pair(n, answer=f"Fever number {n}.") for n in range(10)]
    assert len(found(index(*many), "fever")) == 3
    assert len(found(index(*many), "fever", 7)) == 7
    assert len(found(index(*many), "fever", 99)) == 10
    assert found(index(*many), "fever", 0) == []


def test_one_passage_an_answer_and_none_twice() -> None:
    long = pair(1, answer=" ".join(["Fever has many causes and may last."] * 40))
    repeated = [pair(2, answer="Fever comes and goes."), pair(3, answer="Fever comes and goes.")]
    assert len(passages_of([long])) > 1
    assert sorted(found(index(long, *repeated), "fever", 10)) == [long.id, "p0002"]


def test_equals_come_in_the_order_of_the_data() -> None:
    same = {"topic": "Fever", "question": "Fever?"}
    pairs = [pair(n, answer=f"Fever {word}.", **same) for n, word in enumerate(("rises", "falls", "stays"))]
    assert found(index(*pairs), "fever") == ["p0000", "p0001", "p0002"]


def test_a_match_weighs_what_is_asked_by_how_rare_it_is() -> None:
    common = [Passage(f"Common text {n}.", "disease", "What is disease?", str(n), "s", None) for n in range(9)]
    rare = Passage("It begins in the elbow.", "Blorkitis", "What is Blorkitis?", "x", "s", None)
    index = BM25([*common, rare])
    assert index.match("What is Blorkitis?", rare) == 1.0
    assert (
        index.match("Is Blorkitis a disease?", rare) > 0.75 > 0.25 > index.match("Is Blorkitis a disease?", common[0])
    )
    assert index.match("Was ist Blorkitis für eine Krankheit?", rare) < index.least_match  # four words of no passage
    assert index.match("What is that?", rare) == index.match("Qu'est-ce que la goutte ?", rare) == 0.0


def test_what_is_kept_is_read_again_and_of_other_passages_refused(tmp_path: Path) -> None:
    passages = [Passage(f"Text {n}.", "t", "q", str(n), "s", None) for n in range(3)]
    index = BM25(passages)
    index.keep(tmp_path)
    assert BM25(passages, kept=tmp_path).search("text 1") == index.search("text 1") != []
    with pytest.raises(ValueError, match="of other passages"):
        BM25(passages[:2], kept=tmp_path)
