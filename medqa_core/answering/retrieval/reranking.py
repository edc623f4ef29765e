"""Passages ranked once more by what is asked: for `What causes gout?`, gout's causes before its treatments.

BM25 finds the topic, whose name is rare; the one word that tells causes from treatments stands in every document. So
the best passages are compared with the question by their headings: beside the topic, do both ask the same? An answer
whose heading does is read from its beginning, which says it, and not where it names the topic most often.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

from medqa_core.answering.retrieval.bm25 import BM25, stems, terms
from medqa_core.answering.retrieval.passages import Passage

DEPTH = 60
"""Passages that are ranked once more: the best by BM25."""
WEIGHT = 0.3
"""What a heading that asks the same is worth, as a share of the best score: docs/decisions/0048."""
ALIKE = 0.5
"""From this likeness on a heading asks the same."""


@dataclass(frozen=True)
class Reranked:
    """The passages of `plain`, those first whose heading asks what is asked (see Retriever)."""

    plain: BM25
    name: ClassVar[str] = f"{BM25.name}, reranked by heading"

    @property
    def method(self) -> str:
        """See Retriever."""
        return (
            f"{self.plain.method}; the best {DEPTH} ranked once more by what their headings ask beside the topic, "
            "answers to the same read from their beginning"
        )

    @property
    def passages(self) -> tuple[Passage, ...]:
        """See Retriever."""
        return self.plain.passages

    @property
    def least_match(self) -> float:
        """See Retriever."""
        return self.plain.least_match

    def search(self, question: str, k: int = 3) -> list[Passage]:
        """See Retriever."""
        return reranked(question, self.plain.search(question, max(k, DEPTH)), self._beginnings)[:k]

    def match(self, question: str, passage: Passage) -> float:
        """See Retriever."""
        return self.plain.match(question, passage)

    @cached_property
    def _beginnings(self) -> dict[str, Passage]:
        """Each answer's first passage, by the question's id."""
        return {one.question_id: one for one in reversed(self.passages)}


def reranked(question: str, found: Sequence[Passage], beginnings: Mapping[str, Passage]) -> list[Passage]:
    """`found`, best first, with the first DEPTH in the order of BM25's score and the likeness of their headings.

    Of an answer whose heading asks the same its beginning stands in the place of what was found. As many passages come
    back, still none with the words of another. Scores stay comparable within the search. A passage without a heading,
    of a document, keeps its score.
    """
    if not found:
        return []
    asked, bonus = stems(terms(question)), WEIGHT * found[0].score
    texts = {one.text for one in found}
    scored = []
    for one in found[:DEPTH]:
        likeness = _likeness(asked, one)
        beginning = beginnings.get(one.question_id, one)
        given = beginning if likeness >= ALIKE and beginning.text not in texts else one
        texts.add(given.text)
        scored.append(replace(given, score=one.score + bonus * likeness))
    return sorted(scored, key=lambda one: -one.score) + list(found[DEPTH:])


def _likeness(asked: frozenset[str], passage: Passage) -> float:
    """How much the question and the passage's heading have in common without the topic's words: F1, 0 to 1.

    1 where neither has another word: `What is gout?` asks the same as `What is (are) Gout ?`.
    """
    if not passage.question:
        return 0.0
    topic = stems(terms(passage.topic))
    ours, theirs = asked - topic, stems(terms(passage.question)) - topic
    both = len(ours) + len(theirs)
    return 2 * len(ours & theirs) / both if both else 1.0
