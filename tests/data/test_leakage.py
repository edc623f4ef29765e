"""Leakage is measured on the parts as they are, whoever made them."""

import pytest

from medqa_core.data import leakage, starter
from medqa_core.data.describe import counts, describe, leakage_sentence, leaks
from medqa_core.data.groups import RELATIONS
from medqa_core.data.split import Split, grouped_split, random_split
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.record import OverlapRecord
from tests.support.qa_pairs import pair

LONG = " ".join(f"word{n}" for n in range(40))


def test_each_relation_is_counted_by_test_question() -> None:
    train = (pair(1), pair(2, answer=LONG))
    test = (
        pair(11, document=pair(1).document),
        pair(12, topic="TOPIC  1!", question=pair(1).question.upper()),
        pair(13, answer=LONG.upper() + "."),
        pair(14, answer=LONG.rsplit(" ", 14)[0] + " " + " ".join(f"new{n}" for n in range(30))),
        pair(15, topic="", document="", answer="Quite another thing.", synonyms=("Topic 2",)),
    )
    found = leakage.measure(Split(train, (), test, {}))
    assert found.model_dump() == {
        "document": 1, "focus": 1, "question": 1, "answer": 1, "synonym": 2, "concept": 0, "near_duplicate": 1,
        "ngram13_any": 0.4, "ngram13_over_half": 0.2, "ngram13_over_80": 0.2,
    }  # fmt: skip
    assert leakage_sentence(found, 5) == (
        "The test set leaks: of 5 test questions 1 (20.0%) are from a document that the training set holds too, "
        "1 (20.0%) are on a topic that the training set holds too, 1 (20.0%) repeat a training question, "
        "1 (20.0%) have a training answer word for word, 2 (40.0%) are on a topic of which the training set holds a "
        "name and 1 (20.0%) have nearly the text of a training answer."
    )


def test_a_grouped_split_shares_nothing_and_a_random_one_much() -> None:
    pairs = starter.load().pairs
    grouped = leakage.measure(grouped_split(pairs, (300, 40, 60), 42))
    assert (grouped.document, grouped.focus, grouped.question, grouped.answer) == (0, 0, 0, 0)
    assert not leaks(grouped)
    assert leakage_sentence(grouped, 60).startswith(
        "No test question shares its document, a name or specific concept of"
    )
    random = leakage.measure(random_split(pairs, (300, 40, 60), 42))
    assert random.focus > 40
    assert leaks(random)


def test_no_test_questions_leak_nothing() -> None:
    found = leakage.measure(Split((pair(1),), (), (), {}))
    assert found == OverlapRecord(**dict.fromkeys(RELATIONS, 0), ngram13_any=0, ngram13_over_half=0, ngram13_over_80=0)
    assert leakage_sentence(found, 0) == "There is no test question that could leak."


@pytest.mark.parametrize("method", ["grouped", "random"])
def test_a_description_says_all_of_it(method: str) -> None:
    found = describe(starter.load(), TrainConfig.model_validate({"split_method": method, "test_size": 0.1}))
    facts = found.facts()
    assert facts["overlap"] == leakage.measure(found.split, found.data.pairs).model_dump()
    assert facts["split_hash"] == found.split.hash
    assert facts["split"]["test"] == len(found.split.test) == 58
    assert sum(facts["by_question_type"].values()) == facts["pairs_answered"]
    assert list(facts["by_source"]) == ["starter"]
    assert facts["bare_questions"] == 0


def test_counts_by_value_and_part() -> None:
    found = describe(starter.load(), TrainConfig.model_validate({"test_size": 0.1}))
    by_type = counts(found, "question_type")
    assert sum(numbers["all"] for numbers in by_type.values()) == len(found.data.pairs)
    assert [numbers["all"] for numbers in by_type.values()] == sorted(
        (n["all"] for n in by_type.values()), reverse=True
    )
    for part, pairs in found.parts.items():
        assert sum(numbers[part] for numbers in by_type.values()) == len(pairs)
    assert found.unused == len(found.data.pairs) - sum(map(len, found.parts.values()))
