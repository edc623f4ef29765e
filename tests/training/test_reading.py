"""Examples of task `open_book`: the right passage among others, none right in the rest, the same by seed."""

from dataclasses import replace
from typing import Any

import pytest

from medqa_core.answering.retrieval.bm25 import BM25
from medqa_core.answering.retrieval.library import library_of, search_others
from medqa_core.answering.retrieval.passages import passages_of
from medqa_core.data import starter
from medqa_core.data.pairs import PairSet, QAPair
from medqa_core.data.split import split_pairs
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.prompt import ABSTENTION, Example, cited, without_citations
from medqa_core.runs.schema.config import TrainConfig, validated
from medqa_core.training.examples import Encoded, encode_for
from medqa_core.training.reading import readings
from tests.support.qa_pairs import pair

TOPICS = ("gout", "asthma", "colds", "migraine", "measles", "scurvy")
PAIRS = [
    pair(n, topic=topic, question=f"What helps against {topic}?", answer=f"Against {topic} doctors advise plan {n}.")
    for n, topic in enumerate(TOPICS)
]


def config(**changes: Any) -> TrainConfig:
    return validated({"task": "open_book", "base_model": "toy", "max_tokens": 512, "max_new_tokens": 64, **changes})


def data_of(*pairs: QAPair) -> PairSet:
    return replace(starter.load(), title="Made", pairs=pairs)


def encoded(
    lab: Settings, data: PairSet, parts: Any = None, **changes: Any
) -> tuple[tuple[Encoded, list[Example]], Any]:
    one = config(dataset="starter", train_size=40, validation_size=6, test_size=6, **changes)
    tokenizer = load("toy", settings=lab, device="cpu").tokenizer
    return encode_for(one, data, parts or split_pairs(data.pairs, one), tokenizer, "chat", lab), tokenizer


def test_the_right_passage_stands_among_others_and_its_number_is_named() -> None:
    library = BM25(passages_of(PAIRS))
    made = readings(PAIRS, library, config(right_passage_share=1.0))
    for one, reading in zip(PAIRS, made, strict=True):
        assert reading.right is not None and reading.right.question_id == one.id
        assert len(reading.passages) == 3 and len({p.question_id for p in reading.passages}) == 3
        assert reading.answer == one.answer
        number = cited(reading.answer + reading.suffix)[0]
        assert reading.passages[number - 1] is reading.right
        assert f"[{number}] {one.answer}" in reading.prompt and reading.prompt.endswith(one.question)
    assert len({reading.passages.index(reading.right) for reading in made if reading.right}) > 1, "its place varies"
    assert made == readings(PAIRS, library, config(right_passage_share=1.0))
    assert made != readings(PAIRS, library, config(right_passage_share=1.0, seed=1))


def test_ranked_passages_stand_as_the_search_gives_them() -> None:
    library = BM25(passages_of(PAIRS))
    for share in (1.0, 0.0):
        made = readings(PAIRS, library, config(right_passage_share=share, passage_order="ranked"))
        for one, reading in zip(PAIRS, made, strict=True):
            ranked = [p.text for p in library.search(one.question, 30) if share or p.question_id != one.id]
            assert [passage.text for passage in reading.passages] == ranked[:3]
    unseen = replace(
        PAIRS[0], id="new", answer="Lime juice, twice a day.", question="What helps against sailor's legs?"
    )
    (reading,) = readings([unseen], library, config(right_passage_share=1.0, passage_order="ranked"))
    assert reading.right is reading.passages[-1] and reading.right.text == unseen.answer


@pytest.mark.parametrize(("without", "answer"), [("abstain", ABSTENTION), ("answer", PAIRS[0].answer)])
def test_without_the_right_passage(without: str, answer: str) -> None:
    library = BM25(passages_of(PAIRS))
    made = readings(PAIRS, library, config(right_passage_share=0.0, without_right_passage=without))
    assert made[0].right is None and made[0].answer == answer and made[0].suffix == ""
    assert all(passage.question_id != PAIRS[0].id for passage in made[0].passages)


def test_a_library_of_one_document_holds_the_right_passage_alone() -> None:
    (reading,) = readings(PAIRS[:1], BM25(passages_of(PAIRS[:1])), config(right_passage_share=0.0))
    assert [passage.question_id for passage in reading.passages] == [PAIRS[0].id]


def test_what_answers_the_same_question_is_no_distractor() -> None:
    twin = replace(PAIRS[0], id="twin", document="other", answer="Another plan against gout.")
    made = readings(PAIRS[:1], BM25(passages_of([*PAIRS, twin])), config())
    assert "twin" not in {passage.question_id for passage in made[0].passages}


def test_an_empty_library_says_so(lab: Settings) -> None:
    with pytest.raises(InputError, match=r"Made holds no passage to read: all of its answers are empty\.$"):
        library_of(data_of(pair(1, answer=" "), pair(2, answer="?")), lab)
    assert readings([pair(1, answer="?")], BM25([]), config()) == []


def test_other_documents_hide_the_questions_own() -> None:
    own = [replace(pair(n), document="d", answer=f"Gout part {n}.", question=f"Gout {n}?") for n in range(40)]
    library = BM25(passages_of([*own, replace(PAIRS[0], document="e")]))
    found = search_others(library, "gout", 3, "d")
    assert [passage.document for passage in found] == ["e"]
    assert len(search_others(library, "gout", 3, "")) == 3
    assert search_others(BM25([]), "gout", 3, "d") == []


def test_every_training_example_ends_and_says_what_was_done(lab: Settings) -> None:
    data = starter.load()
    (train, validation), tokenizer = encoded(lab, data, preparation="answers", right_passage_share=0.5)
    assert all(one.input_ids[-1] == tokenizer.eos_token_id and len(one.input_ids) <= 512 for one in train.examples)
    record = train.preparation
    assert record is not None and record.answers == 40 and record.examples == len(train.examples)
    assert record.right_passage is not None and 0 < record.right_passage < record.examples
    assert all(one.input_ids[-1] != tokenizer.eos_token_id for one in validation)


def test_passages_longer_than_the_context_are_spared_and_then_the_answer_is_cut(lab: Settings) -> None:
    long = [replace(one, answer=" ".join(f"{one.topic} needs rest {n}." for n in range(24))) for one in PAIRS]
    data = data_of(*long, *starter.load().pairs[:80])
    parts = replace(split_pairs(data.pairs, config(train_size=40, validation_size=6, test_size=6)), train=tuple(long))
    (train, _), tokenizer = encoded(lab, data, parts, max_tokens=220, right_passage_share=1.0)
    assert train.examples and all(len(one.input_ids) <= 220 for one in train.examples)
    prompts = [tokenizer.decode(one.input_ids[: one.prompt_tokens]) for one in train.examples]
    assert all("[1]" in text for text in prompts) and not all("[3]" in text for text in prompts)
    with pytest.raises(InputError, match=r"no training example is left"):
        encoded(lab, data, parts, max_tokens=48)


def test_closed_book_answers_end_within_their_budget(lab: Settings) -> None:
    data = starter.load()
    for preparation in ("answers", "none"):
        one = validated({"preparation": preparation, "max_tokens": 512, "max_new_tokens": 24, "train_size": 40})
        tokenizer = load("toy", settings=lab, device="cpu").tokenizer
        parts = split_pairs(data.pairs, one)
        train, _ = encode_for(one, data, parts, tokenizer, "chat", lab)
        answers = [len(example.input_ids) - example.prompt_tokens for example in train.examples]
        if preparation == "answers":
            assert max(answers) <= 24 and train.preparation is not None
            assert train.preparation.trimmed + train.preparation.too_long_left_out > 0
            assert train.preparation.right_passage is None
        else:
            assert train.preparation is None and max(answers) > 24


def test_what_is_mostly_template_is_cut_or_left_out(lab: Settings) -> None:
    form = "Doctors who treat {} ask how long it has lasted and what else is known of it."
    own = "A blue lamp beside the bed helped in nine of twelve nights."
    pairs = [replace(one, answer=form.format(one.topic)) for one in PAIRS]
    pairs[0] = replace(pairs[0], answer=f"{pairs[0].answer} {own}")
    data = data_of(*pairs, *starter.load().pairs[:80])
    split = split_pairs(data.pairs, config(train_size=40, validation_size=6, test_size=6))
    parts = replace(split, train=tuple(pairs))
    (train, _), tokenizer = encoded(lab, data, parts, task="closed_book", preparation="answers", max_template_share=0.5)
    assert train.preparation is not None
    assert (train.preparation.template_cut, train.preparation.template_left_out) == (1, len(pairs) - 1)
    (example,) = train.examples
    assert own in tokenizer.decode(example.input_ids) and "Doctors" not in tokenizer.decode(example.input_ids)


def test_numbers_of_passages() -> None:
    assert cited("Rest [2]. Drink [1][2].") == [2, 1]
    assert without_citations("Rest [2]. Drink [1][2].") == "Rest. Drink."
