"""The passages that test questions are asked with, and what the protocol says of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from medqa_core.answering.retrieval.library import library_of, search_others
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.retrieval.retriever import Retriever, retriever_for
from medqa_core.answering.sources import PASSAGES, fitting
from medqa_core.data.pairs import QAPair
from medqa_core.data.preparation import data_for
from medqa_core.foundation.progress import StageProgress
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import with_passages
from medqa_core.models.variants import ModelVariants
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import QuestionsConfig, TrainConfig
from medqa_core.runs.schema.evaluation import Library, RetrievalProtocol


@dataclass(frozen=True)
class Shelf:
    """A library as the protocol names it, and how it is searched for a test question."""

    library: Library
    retriever: Retriever
    passages: int

    def search(self, question: QAPair) -> list[Passage]:
        """The best passages for a question, those of its own document left out where the library says so."""
        if self.library == "other documents":
            return search_others(self.retriever, question.question, self.passages, question.document)
        return self.retriever.search(question.question, self.passages)

    def protocol(self, config: QuestionsConfig, asked: int, of: int) -> RetrievalProtocol:
        """What the protocol says of the passages of `asked` test questions of `of`."""
        grouped = isinstance(config, TrainConfig) and config.split_method == "grouped"
        held_out = self.library == "other documents" or (self.library == "training answers" and grouped)
        some = {"asked": asked, "of": of} if asked < of else {}
        return RetrievalProtocol(
            passages=self.passages,
            method=self.retriever.name,
            library=self.library,
            test_documents_held_out=held_out,
            **some,
        )


def shelf_of(run: Run, config: QuestionsConfig, settings: Settings, library: Library) -> Shelf:
    """The library of a run's data set. Raises as `library_of` and `retriever_for`."""
    passages = config.passages if config.task == "open_book" else PASSAGES
    if library == "training answers":
        return Shelf(library, retriever_for(run, settings), passages)
    return Shelf(library, library_of(data_for(config, settings), settings), passages)


def read_for(
    variants: ModelVariants,
    questions: Sequence[QAPair],
    search: Callable[[QAPair], Sequence[Passage]],
    max_new_tokens: int,
    progress: StageProgress,
) -> tuple[list[str], list[tuple[Passage, ...]]]:
    """What stands in each question's prompt, and the passages in it: as many as leave room for the answer."""
    asked, read = [], []
    for number, question in enumerate(questions, 1):
        _, kept = fitting(variants, question.question, search(question), max_new_tokens)
        asked.append(with_passages(question.question, [one.text for one in kept]))
        read.append(kept)
        progress("passages", number, len(questions))
    return asked, read
