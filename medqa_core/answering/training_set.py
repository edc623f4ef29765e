"""What of an answer stands in the run's training answers."""

from dataclasses import dataclass

from medqa_core.answering.per_run_cache import per_run_cache
from medqa_core.data.overlap import CopyIndex, Span
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run


@dataclass(frozen=True)
class Overlap:
    """An answer, compared with the training answer that is nearest to it."""

    spans: tuple[Span, ...]
    """The answer in pieces: copied from that training answer, near copies of it, or neither."""
    nearest_question: str | None
    """The training question that it answers; None where no training answer is near."""


@dataclass(frozen=True)
class TrainingSet:
    """A run's training answers, indexed."""

    index: CopyIndex
    questions: dict[str, str]
    """Training question by id."""

    def overlap(self, answer: str) -> Overlap:
        """What of `answer` stands in here."""
        spans = tuple(self.index.spans(answer))
        nearest = next((span.id for span in spans if span.id is not None), None)
        return Overlap(spans, None if nearest is None else self.questions.get(nearest))


def training_set(run: Run, settings: Settings) -> TrainingSet:
    """The training answers of `run`; read and indexed once, which takes seconds.

    Raises:
        MedQAError: the run's data set is not available.
    """
    return _indexed(run, settings)


_indexed = per_run_cache(
    lambda train, _: TrainingSet(CopyIndex((p.id, p.answer) for p in train), {p.id: p.question for p in train})
)
