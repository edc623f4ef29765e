"""Passages ranked by BM25 (Robertson and Zaragoza 2009, in Lucene's form) over topic, question and text."""

from collections.abc import Sequence

import bm25s

from medqa_core.answering.retrieval.passages import Passage, best
from medqa_core.data.function_words import function_words
from medqa_core.data.words import words


class BM25:
    """An index of passages (see Retriever); reading it from several threads is safe."""

    name = "BM25"
    method = f"BM25 (bm25s {bm25s.__version__}) over topic, question and passage, English stop words left out"

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = tuple(passages)
        self._index = bm25s.BM25(backend="numpy", csc_backend="numpy")
        terms = [_terms(passage.searched) for passage in self.passages]
        self._known = {term for found in terms for term in found}
        if self._known:
            self._index.index(terms, show_progress=False)

    def search(self, question: str, k: int = 3) -> list[Passage]:
        """See Retriever."""
        asked = [term for term in _terms(question) if term in self._known]
        return best(self.passages, self._index.get_scores(asked), k) if asked else []


def _terms(text: str) -> list[str]:
    stop_words = function_words("English")
    return [word for word in words(text) if word not in stop_words]
