"""What of an answer stands in the run's training answers."""

import threading
from dataclasses import dataclass
from functools import lru_cache

from medqa_core.data.lookup import split_of
from medqa_core.data.overlap import CopyIndex, Span
from medqa_core.foundation.settings import Settings
from medqa_core.runs.store import Run, RunStore

_building = threading.Lock()


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
    recorded = run.record.data.split_hash if run.record.data else None
    with _building:  # two visitors who ask at once build it once
        return _training_set(run.id, settings, recorded)


@lru_cache(maxsize=2)
def _training_set(run_id: str, settings: Settings, split_hash: str | None) -> TrainingSet:
    train = split_of(RunStore(settings.reports).open(run_id).record, settings)[1].train
    return TrainingSet(CopyIndex((p.id, p.answer) for p in train), {p.id: p.question for p in train})
