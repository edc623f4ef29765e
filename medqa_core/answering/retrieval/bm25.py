"""Passages ranked by BM25 (Robertson and Zaragoza 2009, in Lucene's form) over topic, question and text."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import bm25s

from medqa_core.answering.retrieval.passages import Passage, best, passages_of
from medqa_core.data import starter
from medqa_core.data.function_words import function_words
from medqa_core.data.words import words

_STEM = 5
"""Letters that two words share to be one."""


class BM25:
    """An index of passages (see Retriever); reading it from several threads is safe."""

    name = "BM25"
    method = f"BM25 (bm25s {bm25s.__version__}) over topic, question and passage, English stop words left out"
    least_match = 0.55
    """Chosen on validation questions: docs/decisions/0040."""

    def __init__(self, passages: Sequence[Passage], kept: Path | None = None) -> None:
        """Index `passages`, or read the index of these very passages that `keep` wrote to the folder `kept`.

        Raises:
            OSError, ValueError, KeyError: what was kept cannot be read.
        """
        self.passages = tuple(passages)
        self._index = bm25s.BM25(backend="numpy", csc_backend="numpy")
        if kept is not None:
            self._index = bm25s.BM25.load(kept, backend="numpy", csc_backend="numpy", show_progress=False)
        elif any(searched := [terms(passage.searched) for passage in self.passages]):
            self._index.index(searched, show_progress=False)
        self._ids: dict[str, int] = getattr(self._index, "vocab_dict", {})
        if self._ids and self._index.scores["num_docs"] != len(self.passages):
            raise ValueError("the index is of other passages")

    def keep(self, folder: Path) -> None:
        """Write the index, of one word at least, to a folder."""
        self._index.save(folder, show_progress=False)

    def search(self, question: str, k: int = 3) -> list[Passage]:
        """See Retriever."""
        asked = [term for term in terms(question) if term in self._ids]
        return best(self.passages, self._index.get_scores(asked), k) if asked else []

    def match(self, question: str, passage: Passage) -> float:
        """See Retriever: the share of the question's words that the passage holds, each weighed by how rare it is.

        The weight is BM25's inverse document frequency, in the library and the starter set together: a library of one
        leaflet does not tell that `symptoms` says less than `gout`. A word that neither has weighs the most. Words
        that share their first letters are one: treat, treated, treatment.
        """
        asked = {term: self._weight(term) for term in terms(question)}
        held = stems(terms(passage.searched))
        total = sum(asked.values())
        return sum(weight for term, weight in asked.items() if term[:_STEM] in held) / total if total else 0.0

    def _weight(self, term: str) -> float:
        passages, counted = _background()
        place, starts = self._ids.get(term), self._index.scores["indptr"]
        having = counted[term] + (0 if place is None else int(starts[place + 1] - starts[place]))
        return math.log(1 + (passages + len(self.passages) - having + 0.5) / (having + 0.5))


@cache
def _background() -> tuple[int, Counter[str]]:
    """How many passages the starter set has, and how many of them hold each word."""
    found = passages_of(starter.load().pairs)
    return len(found), Counter(term for passage in found for term in set(terms(passage.searched)))


def stems(found: Iterable[str]) -> frozenset[str]:
    """What is left of words when those that share their first letters are one."""
    return frozenset(term[:_STEM] for term in found)


def terms(text: str) -> list[str]:
    """The words of `text` that are searched for: without English function words."""
    stop_words = function_words("English")
    return [word for word in words(text) if word not in stop_words]
