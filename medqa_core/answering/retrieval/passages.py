"""Answers and documents cut into passages: what can be looked up, and read before answering."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from medqa_core.data.documents import Page
from medqa_core.data.pairs import QAPair
from medqa_core.data.sentences import SENTENCE_GAP

WORDS = 80
"""A passage has no more, unless a few more end its answer: three of them fit every model's context with an answer."""
FEW = 15
"""Words that do not make a passage of their own at an answer's end."""
MOST_CHARACTERS = 800
"""A passage is no longer, whatever it counts as words: some scripts put no space between them."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of one answer, or of one page of a document."""

    text: str
    topic: str
    question: str
    """The data set's question that it answers; "" for a document."""
    question_id: str
    """Of the answer; of a document every passage has one of its own."""
    source: str
    """The data set's source, or the document's file."""
    url: str | None
    """Where the answer is from, http or https; None where the data set does not say."""
    score: float = 0.0
    """How well it fits the question it was found for; comparable within one search only."""
    document: str = ""
    """What the answer is part of; "" where the data set has no documents."""
    page: int | None = None
    """Of the document, from 1; None where it has no pages, and for answers of a data set."""

    @property
    def searched(self) -> str:
        """What a search looks at: topic, question and text."""
        return " ".join((self.topic, self.question, self.text))


def passages_of(pairs: Iterable[QAPair]) -> list[Passage]:
    """Every answer's passages, in order."""
    return [
        Passage(text, pair.topic, pair.question, pair.id, pair.source, _web(pair.url), document=pair.document)
        for pair in pairs
        for text in pieces(pair.answer)
    ]


def passages_of_pages(pages: Iterable[Page]) -> list[Passage]:
    """The passages of documents, in order."""
    return [
        Passage(text, page.title, "", f"{page.file}#{page.number or ''}#{number}", page.file, None,
                document=page.file, page=page.number)
        for page in pages
        for number, text in enumerate(pieces(page.text), 1)
    ]  # fmt: skip


def best(passages: Sequence[Passage], scores: np.ndarray, k: int) -> list[Passage]:
    """The `k` passages with the highest scores above 0, best first, each with its score.

    Of one answer, and of passages with the same words, only the best is given.
    """
    found: list[Passage] = []
    seen: set[str] = set()
    for place in np.argsort(-scores, kind="stable"):
        score, passage = float(scores[place]), passages[place]
        if score <= 0 or len(found) >= k:
            break
        if passage.question_id not in seen and passage.text not in seen:
            seen |= {passage.question_id, passage.text}
            found.append(replace(passage, score=score))
    return found


def pieces(answer: str) -> list[str]:
    """`answer` cut at sentence ends into pieces of about WORDS words; none of an answer without a word.

    What is too short to stand alone at the end goes to the piece before it.
    """
    found: list[list[str]] = []
    for sentence in _sentences(answer):
        if found and len(found[-1]) + len(sentence) <= WORDS:
            found[-1] += sentence
        else:
            found.append(sentence)
    if len(found) > 1 and len(found[-1]) <= FEW:
        last = found.pop()
        found[-1] += last
    texts = (" ".join(words) for words in found)
    return [part for text in texts for part in _slices(text) if re.search(r"\w", part)]


def _sentences(answer: str) -> Iterator[list[str]]:
    """The words of each sentence, WORDS at most at a time."""
    for sentence in SENTENCE_GAP.split(answer):
        words = sentence.split()
        for start in range(0, len(words), WORDS):
            yield words[start : start + WORDS]


def _slices(text: str) -> Iterator[str]:
    for start in range(0, len(text), MOST_CHARACTERS):
        yield text[start : start + MOST_CHARACTERS]


def _web(url: str | None) -> str | None:
    """`url` if it is a web address: it becomes a link, and a data set may say anything."""
    return url if url is not None and re.match(r"https?://[^\s\"'<>]+\Z", url, re.IGNORECASE) else None
