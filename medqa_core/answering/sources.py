"""What the third column reads: the passages of the run's training documents that fit the question best."""

from collections.abc import Callable

from medqa_core.answering.compare import Grounding
from medqa_core.answering.grounding import PASSAGES, WITH_SOURCES_VARIANT
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.retrieval.retriever import retriever_for
from medqa_core.answering.service import AnswerService


def reading(service: AnswerService, question: str, found: list[Passage]) -> Callable[[str], Grounding]:
    """For `AnswerService.answers`: looks the passages up when the run is known, and leaves them in `found`.

    What it returns raises MedQAError where the run's data are not in reach.
    """

    def ground(run_id: str) -> Grounding:
        found[:] = retriever_for(service.store.open(run_id), service.settings).search(question, PASSAGES)
        return Grounding(WITH_SOURCES_VARIANT, tuple(found))

    return ground
