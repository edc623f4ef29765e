"""What of an answer stands in the run's training answers."""

from dataclasses import dataclass

from medqa_core.answering.per_run_cache import per_run_cache
from medqa_core.data.overlap import CopyIndex, Span
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run


@dataclass(frozen=True)
class TrainingSet:
    """A run's training answers, indexed."""

    index: CopyIndex
    questions: dict[str, str]
    """Training question by id."""

    def spans(self, answer: str) -> list[Span]:
        """The answer in pieces: copied from the nearest training answer, near copies of it, or neither."""
        return self.index.spans(answer)


def training_set(run: Run, settings: Settings) -> TrainingSet:
    """The training answers of `run`; read and indexed once, which takes seconds.

    Raises:
        MedQAError: the run's data are not in reach.
    """
    return _indexed(run, settings)


_indexed = per_run_cache(
    lambda train, _: TrainingSet(CopyIndex((p.id, p.answer) for p in train), {p.id: p.question for p in train})
)
