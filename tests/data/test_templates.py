"""Template text is what answers on five topics have in common, their names masked."""

from random import Random

import pytest

from medqa_core.data import starter
from medqa_core.data.pairs import QAPair
from medqa_core.data.templates import RUN, TOPICS, Templates
from medqa_core.data.words import words

NAMES = ["gout", "asthma", "Crohn's disease", "measles", "heart block", "rickets", "anemia"]
FORM = "What causes {0}? The causes of {0} are not known, but {1} is seen in most of those who have it."


def about(topic: str, answer: str, *, document: str = "", question: str = "") -> QAPair:
    return QAPair(f"{topic}:{answer[:9]}", document, topic, "causes", question or f"What causes {topic}?", answer, "s")


def filled(names: list[str], form: str = FORM) -> list[QAPair]:
    own = Random(3)
    signs = ["".join(own.choices("bdfgklmnprst", k=9)) for _ in names]
    return [about(name, form.format(name, sign)) for name, sign in zip(names, signs, strict=True)]


def marked(found: Templates, text: str, topic: str) -> list[str]:
    return [word for word, flag in zip(words(text), found.mask(text, topic), strict=True) if flag]


def test_a_run_on_five_topics_is_a_template_and_one_on_four_is_none() -> None:
    assert not Templates.learn(filled(NAMES[: TOPICS - 1]))
    found = Templates.learn(filled(NAMES[:TOPICS]))
    assert found
    text = FORM.format("scarlet fever", "xxx")
    assert marked(found, text, "scarlet fever") == words(text.replace("xxx", ""))
    assert found.share(text, "scarlet fever") == pytest.approx(1 - 1 / len(words(text)))


def test_five_answers_on_one_topic_are_no_template() -> None:
    assert not Templates.learn([about("gout", FORM.format("gout", f"sign{n}")) for n in range(9)])


def test_the_name_is_masked_where_it_stands_whole_and_counts_with_its_run() -> None:
    found = Templates.learn(filled(NAMES))
    said = "the causes of crohn s disease are not known but"
    assert marked(found, f"Well, {said} so", "Crohn's disease") == words(said)
    assert marked(found, f"Well, {said} so", "Crohn's") == []  # another name, and the rest is a word too long
    assert marked(found, "The causes of it are not known, but", "gout") == []


def test_a_run_shorter_than_eight_words_is_no_template() -> None:
    form = "Of {0} this is what we say here, {1}"
    assert len(words(form.format("gout", ""))) == RUN
    found = Templates.learn(filled(NAMES, form))
    assert marked(found, "Of gout this is what we say", "gout") == []
    assert len(marked(found, "Of gout this is what we say here", "gout")) == RUN


def test_without_topics_documents_and_without_these_questions_tell_answers_apart() -> None:
    same = "It is not known what causes this and nobody should blame himself."
    assert not Templates.learn([about("", same, document="one") for _ in range(9)])
    assert Templates.learn([about("", same, document=f"d{n}") for n in range(TOPICS)])
    assert not Templates.learn([about("", same, question="Why?") for _ in range(9)])
    assert Templates.learn([about("", same, question=f"Why {n}?") for n in range(TOPICS)])


@pytest.mark.parametrize("pairs", [[], [about("gout", "")], [about("gout", "It hurts.")] * 2, filled(NAMES, "{1}")])
def test_answers_with_nothing_in_common_have_no_template(pairs: list[QAPair]) -> None:
    found = Templates.learn(pairs)
    assert not found and found.longest(5) == []
    assert found.mask("It hurts. A lot.", "gout") == [False] * 4
    assert found.share("It hurts", "gout") == found.share("", "gout") == found.share("…", "") == 0.0


def test_templates_in_a_script_without_spaces() -> None:
    names = ["痛风", "哮喘", "麻疹", "贫血", "佝偻病"]
    found = Templates.learn([about(name, f"{name}的病因目前还不清楚，需要更多研究。") for name in names])
    assert marked(found, "流感的病因目前还不清楚。", "流感") == list("流感的病因目前还不清楚")


def test_the_longest_are_told_with_their_topics_and_without_what_stands_in_them() -> None:
    short = "Ask your doctor about {0} as soon as you can, {1}"
    found = Templates.learn([*filled(NAMES), *filled([f"name{n}" for n in range(20)], short)])
    first, second, third = found.longest(5)
    assert first.text == "What causes [topic]? The causes of [topic] are not known, but"
    assert (first.words, first.topics) == (11, len(NAMES))
    assert second.text == "Ask your doctor about [topic] as soon as you can" and second.topics == 20
    assert third.text == "is seen in most of those who have it"
    assert [one.text for one in found.longest(1)] == [first.text] and found.longest(0) == []


def test_a_form_that_few_topics_continue_is_told_apart_from_its_continuation() -> None:
    more = FORM + " All that is said here was written for this very test, as you see."
    long = [f"long{n}" for n in range(TOPICS)]
    found = Templates.learn([*filled(long, more), *filled([f"name{n}" for n in range(40)])])
    assert {(one.text.split()[0], one.topics) for one in found.longest(3)} == {("What", 45), ("is", 45), ("in", 5)}


def test_the_starter_set_has_its_own_words() -> None:
    pairs = starter.load().pairs
    found = Templates.learn(pairs)
    assert sum(found.share(pair.answer, pair.topic) for pair in pairs) / len(pairs) < 0.01


def test_what_was_learnt_from_is_counted_and_what_is_left_of_it() -> None:
    pairs = [*filled(NAMES), about("rash", "It is seen."), about("burn", "")]
    found = Templates.learn(pairs)
    assert [inside / words for inside, words in found.counts()[:-1]] == [
        pytest.approx(found.share(pair.answer, pair.topic)) for pair in pairs[:-1]
    ]
    assert found.counts()[-1] == (0, 0)
    left = list(found.remaining())
    assert [len(words) for words in left] == [1] * len(NAMES) + [3, 0]
    assert Templates.learn([]).counts() == [] == list(Templates.learn([]).remaining())
