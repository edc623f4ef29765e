"""Whether a question names the topic of what was found for it."""

import pytest

from medqa_core.answering.question import Question
from medqa_core.answering.retrieval.bm25 import BM25
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.retrieval.topics import LEAST_MATCH, names_topic
from medqa_core.answering.sources import Searched, find_sources
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run


def on(*topics: str, question: str = "What is it?") -> list[Passage]:
    return [Passage("Rest helps.", topic, question, str(n), "by hand", None) for n, topic in enumerate(topics)]


@pytest.mark.parametrize(
    ("question", "topics", "named"),
    [
        ("does gout run in families", ["Gout"], True),
        ("GOUT symptoms?", ["Scurvy", "gout"], True),
        ("How are gouty joints treated?", ["Gout"], False),  # five letters are compared
        ("How long does the flu last?", ["Cough", "Bronchitis", "Eye Diseases"], False),
        ("What is Frasier syndrome?", ["Fraser syndrome"], False),
        ("Is diabetes inherited?", ["Maternally inherited diabetes and deafness"], False),
        ("What causes kidney stones?", ["Kidney Stones in Adults"], True),
        ("What is it?", ["Gout"], False),
        ("", ["Gout"], False),
        ("What is gout?", [], None),
        ("What is gout?", ["", "Scurvy"], None),  # what it stands under is not known
        ("What is gout?", ["", "Gout"], True),
        ("Was ist Gicht?", ["the and of"], None),
    ],
)
def test_more_than_half_of_a_topics_words_name_it(question: str, topics: list[str], named: bool | None) -> None:
    assert names_topic(question, on(*topics)) is named


def test_a_document_and_a_question_in_the_topics_place_are_no_topics() -> None:
    assert names_topic("What is gout?", on("gout.pdf", question="")) is None
    assert names_topic("What is gout?", on("What causes scurvy", question="What causes scurvy?")) is None


def searched(question: str, run: Run, settings: Settings) -> Searched:
    return find_sources(Question.checked(question), run, settings).searched


def test_a_named_topic_needs_a_smaller_match(smoke: Run, lab: Settings) -> None:
    """A misspelt word beside the topic does not hide it; a question in another language still finds nothing."""
    found = searched("What are the simptoms of gout?", smoke, lab)
    assert found.on_topic and LEAST_MATCH <= found.match < BM25.least_match and found.enough
    assert not searched("Wie wird Asthma bei Kindern behandelt?", smoke, lab).enough


def test_no_topic_named_is_told_and_not_refused(smoke: Run, lab: Settings) -> None:
    found = searched("Which infections cause a fever and a rash on the skin?", smoke, lab)
    assert found.on_topic is False and found.enough and found.least_match == BM25.least_match
