"""The library: all passages of a data set, and what is found in it for a question."""

from functools import lru_cache

from medqa_core.answering.retrieval.passages import Passage, passages_of
from medqa_core.answering.retrieval.retriever import Retriever, retriever_over
from medqa_core.data.pairs import PairSet
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings

MARGIN = 20
"""Passages looked at beyond those that are wanted, at first: some may have to be passed over."""


@lru_cache(maxsize=2)
def library_of(data: PairSet, settings: Settings) -> Retriever:
    """All passages of `data`, indexed once a process: seconds for MedQuAD's 52,000, with an embedding model far more.

    Raises:
        InputError: there is none.
        MedQAError: as `retriever_over`.
    """
    passages = passages_of(data.pairs)
    if not passages:
        raise InputError(f"{data.title} holds no passage to read: all of its answers are empty.", field="dataset")
    return retriever_over(passages, settings)


def search_others(library: Retriever, question: str, k: int, document: str) -> list[Passage]:
    """The best `k` passages that are not from `document`, as `Retriever.search`; fewer where there are no more."""
    wanted = k + MARGIN
    while True:
        found = library.search(question, wanted)
        others = [one for one in found if not document or one.document != document]
        if len(others) >= k or len(found) < wanted:
            return others[:k]
        wanted *= 4
