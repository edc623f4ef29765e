"""Passages ranked by BM25 (Robertson and Zaragoza 2009, in Lucene's form) over topic, question and text."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import bm25s
import numpy as np
from bm25s.stopwords import STOPWORDS_EN_PLUS

from medqa_core.answering.once_a_run import once_a_run
from medqa_core.answering.retrieval.passages import Passage, passages_of
from medqa_core.data.pairs import words
from medqa_core.foundation.settings import Settings
from medqa_core.runs.store import Run

_STOP_WORDS = frozenset(word for entry in STOPWORDS_EN_PLUS for word in words(entry)) - {"d", "m", "o", "t", "y"}
"""Of English; the letters are left of contractions in such lists, and here of vitamin D and T cells."""


class Retriever(Protocol):
    """Ranks passages for a question."""

    def search(self, question: str, k: int = 3) -> list[Passage]:
        """The `k` passages that fit best, best first, each with its score; fewer where fewer fit at all."""


class BM25:
    """An index of passages; reading it from several threads is safe."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = tuple(passages)
        self._index = bm25s.BM25(backend="numpy", csc_backend="numpy")
        terms = [_terms(" ".join((p.topic, p.question, p.text))) for p in self.passages]
        self._known = {term for found in terms for term in found}
        if self._known:
            self._index.index(terms, show_progress=False)

    def search(self, question: str, k: int = 3) -> list[Passage]:
        """See Retriever. Of one answer, and of passages with the same words, only the best is given."""
        asked = [term for term in _terms(question) if term in self._known]
        if not asked or k < 1:
            return []
        scores = self._index.get_scores(asked)
        found: list[Passage] = []
        seen: set[str] = set()
        for place in np.argsort(-scores, kind="stable"):
            score, passage = float(scores[place]), self.passages[place]
            if score <= 0 or len(found) == k:
                break
            if passage.question_id not in seen and passage.text not in seen:
                seen |= {passage.question_id, passage.text}
                found.append(replace(passage, score=score))
        return found


def retriever_for(run: Run, settings: Settings) -> Retriever:
    """The training passages of `run`; read and indexed once, which takes seconds.

    Raises:
        MedQAError: the run's data are not in reach, or are not those that it was trained on.
    """
    return _index(run, settings)


_index = once_a_run(lambda train: BM25(passages_of(train)))


def _terms(text: str) -> list[str]:
    return [word for word in words(text) if word not in _STOP_WORDS]
