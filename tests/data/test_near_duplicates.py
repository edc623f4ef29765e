"""Near-duplicates are the same text but for a few words, the topic's name and template text left out."""

from random import Random

from medqa_core.data.near_duplicates import LEAST, SHINGLE, near_duplicates
from medqa_core.data.pairs import QAPair
from tests.support.qa_pairs import pair

WORDS = [f"word{n}" for n in range(120)]


def answers(*texts: str) -> list[QAPair]:
    return [pair(n, answer=text) for n, text in enumerate(texts)]


def test_a_text_with_two_words_changed_is_one_and_a_text_with_a_third_of_them_is_none() -> None:
    text = " ".join(WORDS)
    few = text.replace("word9 ", "other ").replace("word60 ", "another ")
    third = " ".join("new" + word if n % 3 == 0 else word for n, word in enumerate(WORDS))
    assert near_duplicates(answers(text, third, few, "Something else.")) == [(0, 2)]


def test_a_copy_with_the_topic_exchanged_is_one() -> None:
    text = " ".join("{0}" if n % 6 == 0 else word for n, word in enumerate(WORDS))
    both = [pair(n, topic=topic, answer=text.format(topic)) for n, topic in enumerate(("gout", "heart block"))]
    assert near_duplicates(both) == [(0, 1)]


def test_a_form_that_many_topics_share_makes_no_duplicates() -> None:
    random = Random(0)
    own = [" ".join("".join(random.choices("bcdfg", k=9)) for _ in range(30)) for _ in range(6)]
    assert near_duplicates(answers(*(f"{' '.join(WORDS)} {text}" for text in own))) == []


def test_short_texts_are_not_compared() -> None:
    short = " ".join(WORDS[: LEAST + SHINGLE - 2])
    assert near_duplicates(answers(short, short + "!")) == []
    assert near_duplicates(answers(f"{short} more", f"{short} more!")) == [(0, 1)]
    assert near_duplicates([]) == near_duplicates(answers("", "…")) == []
