"""Each question's question about another topic."""

from dataclasses import replace

from medqa_core.data.pairs import QAPair
from medqa_core.evaluation.other_topic import other_topics
from tests.support.form_letters import letters


def groups(questions: list[QAPair]) -> dict[str, str]:
    return {one.id: one.document for one in questions}


def test_it_is_of_the_same_pattern_about_another_topic() -> None:
    asked = letters()
    asked += [replace(one, id=f"{one.id}-cure", question=f"How is {one.topic} treated?") for one in asked[:3]]
    found, kind = other_topics(asked, groups(asked))
    assert kind == "question pattern"
    for own, other in zip(asked, found, strict=True):
        assert other is not None and other.topic != own.topic
        assert other.question.replace(other.topic, "") == own.question.replace(own.topic, "")


def test_it_is_always_the_same() -> None:
    asked = letters()
    found, _ = other_topics(asked, groups(asked))
    backwards, _ = other_topics(asked[::-1], groups(asked))
    assert found == backwards[::-1]


def test_without_a_pattern_the_type_counts_and_without_types_any_question() -> None:
    asked = [replace(one, question=f"Why number {place}?") for place, one in enumerate(letters())]
    assert other_topics(asked, groups(asked))[1] == "question type"
    untyped = [replace(one, question_type="unknown") for one in asked]
    found, kind = other_topics(untyped, groups(untyped))
    assert kind == "any question" and None not in found


def test_questions_of_one_group_or_one_topic_have_none() -> None:
    asked = letters()
    assert other_topics(asked, dict.fromkeys((one.id for one in asked), "one"))[0] == [None] * len(asked)
    same = [replace(one, topic="Arl", question=f"{one.question} {one.id}") for one in asked]
    assert other_topics(same, groups(asked))[0] == [None] * len(same)
    assert other_topics([], {}) == ([], "question pattern")
