"""What finds passages: BM25 with its best reranked, or an embedding model where the settings name one."""

from collections.abc import Sequence
from typing import Protocol

from medqa_core.answering.per_run_cache import per_run_cache
from medqa_core.answering.retrieval.bm25 import BM25
from medqa_core.answering.retrieval.embeddings import Embeddings
from medqa_core.answering.retrieval.passages import Passage, passages_of
from medqa_core.answering.retrieval.reranking import Reranked
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.encoder import load_encoder
from medqa_core.runs.run import Run


class Retriever(Protocol):
    """Ranks passages for a question."""

    @property
    def name(self) -> str:
        """Its kind in a word."""

    @property
    def method(self) -> str:
        """How it ranks, in one sentence without its end."""

    @property
    def passages(self) -> tuple[Passage, ...]:
        """All that can be found."""

    def search(self, question: str, k: int = 3) -> list[Passage]:
        """The `k` passages that fit best, best first, each with its score; fewer where fewer fit at all.

        Of one answer, and of passages with the same words, only the best is given.
        """

    def match(self, question: str, passage: Passage) -> float:
        """How much of what is asked the passage is about, 0 to 1; comparable between questions."""

    @property
    def least_match(self) -> float:
        """A question whose passages all match less has found nothing."""


def retriever_over(passages: Sequence[Passage], settings: Settings, progress: StageProgress = silent) -> Retriever:
    """What finds `passages`, as the settings say.

    Raises:
        MedQAError: the embedding model cannot be fetched or used.
    """
    if settings.embeddings is None:
        return Reranked(BM25(passages))
    return Embeddings(passages, load_encoder(settings.embeddings, settings), settings, progress)


def by_words(retriever: Retriever) -> Retriever:
    """The same passages ranked by their words alone, as before 0.3; an embedding model's ranking stays as it is."""
    return retriever.plain if isinstance(retriever, Reranked) else retriever


def retriever_for(run: Run, settings: Settings) -> Retriever:
    """The training passages of `run`; read and indexed once, which takes seconds, with an embedding model minutes.

    Raises:
        MedQAError: the run's data set is not available, or is not the one that it was trained on; or as
            `retriever_over`.
    """
    return _index(run, settings)


_index = per_run_cache(lambda train, settings: retriever_over(passages_of(train), settings))
