"""What stands around answers with sources: links to passages, marks, and not a character of markup from elsewhere."""

import re
from dataclasses import replace
from html import escape

import pytest

from medqa_core.answering.attribution import Sentence
from medqa_core.answering.compare import NOTHING_FOUND, Answer, Answers
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.sources import Searched
from pages.ask.text import linked, sources
from tests.support.answers import provenance

HOSTILE = "<img src=x onerror=alert(1)>\"'&<script>"
MADE = provenance("fine_tuned")
SEARCHED = Searched("own documents", HOSTILE, 2, "BM25", 0.9, 0.55, ())
TAG = re.compile(r"<[a-z]+")


def shown(text: str, *sentences: Sentence, ended: bool = True) -> str:
    return linked(Answer(text, 3, 1.0, "stop" if ended else None, MADE), sentences)


def test_each_sentence_leads_to_its_passage_or_is_marked() -> None:
    text = shown("…", Sentence("One. ", 2, 0.75), Sentence("Two.\n", None, 0.2), Sentence("Gout.", None, None))
    assert '<a class="cite" href="#passage-2" title="Passage 2 holds 75% of this' in text
    assert ">[unsupported]</span>\nGout.</div>" in text and text.count("cite") == 2


def test_the_sentence_that_is_being_written_is_not_judged_yet() -> None:
    growing = [Sentence("One. ", 1, 1.0), Sentence("Two", None, 0.0)]
    assert shown("…", *growing, ended=False).count("cite") == 1
    assert shown("…", *growing).count("cite") == 2


def test_nothing_from_elsewhere_becomes_markup() -> None:
    text = shown(HOSTILE, Sentence(HOSTILE, 1, 1.0), Sentence(HOSTILE, None, 0.0))
    assert set(TAG.findall(text)) == {"<div", "<a", "<span"}
    assert set(TAG.findall(shown(HOSTILE))) == {"<div"}
    hostile = Passage(HOSTILE, HOSTILE, HOSTILE, "1", HOSTILE, "javascript:alert(1)", page=3)
    links = Passage("Rest.", "Colds", "", "2", "leaflet", "https://example.org/?a=1&b='\"")
    answers = Answers({}, "?", (hostile, links), SEARCHED, ("with_sources",))
    text = sources(answers)
    assert set(TAG.findall(text)) == {"<div", "<p", "<ol", "<li", "<a", "<details", "<summary"}
    assert text.count("<a ") == 1 and "javascript" not in text and ", page 3)" in text
    assert 'href="https://example.org/?a=1&amp;b=&#x27;&quot;"' in text


def test_nothing_in_an_answer_tells_whose_it_is_before_the_vote() -> None:
    text = shown("Rest.", Sentence("Rest.", 1, 1.0))
    assert not re.search(r"fine|tuned|base|adapter", text, re.IGNORECASE)


@pytest.mark.parametrize(("kind", "said"), [
    ("data set", "MedQuAD, this run’s data set (51,259 passages)"),
    ("starter set", "the starter set, since this run’s own data set is not available here (51,259 passages)"),
    ("own documents", "the documents in MedQuAD (51,259 passages)"),
])  # fmt: skip
def test_which_library_was_searched_is_always_said(kind: str, said: str) -> None:
    searched = Searched(kind, "MedQuAD", 51_259, "BM25", 0.93, 0.55, ())  # type: ignore[arg-type]
    assert f"Searched: {said}. Best match with the question: 0.93 of 1." in sources(Answers({}, "?", (), searched))
    assert sources(Answers({}, "?")) == ""


def test_passages_on_topics_that_the_question_does_not_name_are_told() -> None:
    found = (
        Passage("Rest.", f"Cough {HOSTILE}", "?", "1", "here", None),
        Passage("Rest.", "Colds", "?", "2", "here", None),
    )
    searched = replace(SEARCHED, on_topic=False)
    said = f"which are about “Cough {escape(HOSTILE)}” and “Colds”. The library may lack what you ask about"
    assert said in sources(Answers({}, "?", (*found, found[0]), searched))
    for on_topic in (True, None):
        assert "about" not in sources(Answers({}, "?", found, replace(SEARCHED, on_topic=on_topic)))
    assert "about" not in sources(Answers({}, "?", (), searched)), "nothing was read"


def test_nothing_found_says_how_much_was_missing() -> None:
    searched = Searched("data set", "MedQuAD", 10, "BM25", 0.21, 0.55, ())
    text = sources(Answers({}, "?", (), searched))
    assert "0.21 of 1; below 0.55 counts as nothing found" in text and "language of the library" in text
    none = Answer(NOTHING_FOUND, 0, 0.0, "no_passage", MADE)
    assert NOTHING_FOUND in linked(none, ())
