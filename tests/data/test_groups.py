"""What links two pairs, in each version of the split."""

from dataclasses import replace

import pytest

from medqa_core.data import groups
from medqa_core.data.groups import GENERAL, all_keys, components
from medqa_core.data.pairs import QAPair
from tests.support.qa_pairs import pair

TEXT = " ".join(f"word{n}" for n in range(60))


def linked(one: QAPair, other: QAPair, version: int, *others: QAPair) -> bool:
    found = components([one, other, *others], version)
    return found[0] == found[1]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"topic": "Crohn's Disease"}, {"topic": "Crohn disease"}),
        ({"topic": "Gout"}, {"synonyms": ("podagra", "GOUT")}),
        ({"synonyms": ("a", "The gout")}, {"synonyms": ("the-gout",)}),
        ({"concepts": ("C0018099", "C1")}, {"concepts": ("C0018099",)}),
        ({"answer": TEXT}, {"answer": TEXT.replace("word30 ", "")}),
    ],
)
def test_names_concepts_and_near_duplicates_link_from_version_2_on(
    ours: dict[str, object], theirs: dict[str, object]
) -> None:
    one, other = pair(1, **ours), pair(2, **theirs)
    assert linked(one, other, 2) and not linked(one, other, 1)


@pytest.mark.parametrize("name", ["document", "topic", "question", "answer"])
@pytest.mark.parametrize("version", [1, 2])
def test_documents_topics_questions_and_answers_link_in_both(name: str, version: int) -> None:
    one = pair(1)
    assert linked(one, replace(pair(2), **{name: getattr(one, name)}), version)
    assert not linked(one, pair(2), version)


def test_a_concept_on_many_topics_links_none_of_them() -> None:
    one, other, *others = (pair(n, concepts=("C0039082",)) for n in range(GENERAL))
    assert linked(one, other, 2, *others[1:])
    assert not linked(one, other, 2, *others)
    assert not any(relation == "concept" for keys in all_keys([one, other, *others]).values() for relation, _ in keys)


def test_version_1_keeps_its_keys_where_words_were_cut_otherwise() -> None:
    one, other = pair(1, topic="की"), pair(2, topic="का")  # two vowel signs that version 1 leaves out
    assert linked(one, other, 1) and not linked(one, other, 2)


def test_nothing_is_shared_by_what_is_empty() -> None:
    blank = {"document": "", "topic": "", "question": "", "answer": "", "synonyms": ("", "…"), "concepts": ()}
    assert not linked(pair(1, **blank), pair(2, **blank), 2)
    assert set(groups.RELATIONS) >= {relation for keys in all_keys([pair(1)]).values() for relation, _ in keys}
