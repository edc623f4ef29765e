"""Whether what was found is about what is asked: does the question name the topic that a passage stands under?

Words that a question and a passage share do not tell: a passage on bronchitis names the flu too. A data set's answers
stand under their topic; where the question names none of the topics that were found, the library most likely lacks the
one that is asked about. Where it does name one, the words around it matter less: "does gout run in families" shares
nothing with a passage on gout but that.
"""

from collections.abc import Sequence

from medqa_core.answering.retrieval.bm25 import stems, terms
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.data.pairs import normalise

NAMED = 0.5
"""A question that holds more of a topic's words than this share names it: docs/decisions/0051."""
LEAST_MATCH = 0.3
"""What a passage has to match (see Retriever) whose topic the question names; below, it is in another language."""


def names_topic(question: str, found: Sequence[Passage]) -> bool | None:
    """Whether the question names the topic of one of these passages; None where it names none and some have none.

    A document's passages stand under no topic: its title is mostly a file's. Nor do those of a data set without topics.
    """
    asked = stems(terms(question))
    topics = [stems(terms(_topic(one))) for one in found]
    if any(len(topic & asked) > NAMED * len(topic) for topic in topics):
        return True
    return False if topics and all(topics) else None


def _topic(passage: Passage) -> str:
    """Empty where it has none; a data set without topics gives the question in its place."""
    same = normalise(passage.topic) == normalise(passage.question)
    return passage.topic if passage.question and not same else ""
