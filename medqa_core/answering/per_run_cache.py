"""What is built from a run's training pairs: once per run, since it takes seconds, however many ask at once."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from medqa_core.answering.training_pairs import training_pairs
from medqa_core.data.pairs import QAPair
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run

T = TypeVar("T")
RUNS = 2
"""Of so many runs it is kept in memory."""


def per_run_cache(build: Callable[[Sequence[QAPair], Settings], T]) -> Callable[[Run, Settings], T]:
    """`build` of a run's training pairs, kept while the run's data are the same.

    What it returns raises MedQAError where the data set is not available or not known, or is not the one that the run
    was trained on.
    """
    lock = threading.Lock()  # two visitors who ask at once build it once
    kept: OrderedDict[tuple[Path, Settings, str | None], T] = OrderedDict()

    def of(run: Run, settings: Settings) -> T:
        key = (run.folder, settings, run.record.data.split_hash if run.record.data else None)
        with lock:
            if key not in kept:
                kept[key] = build(training_pairs(run, settings), settings)
                while len(kept) > RUNS:
                    kept.popitem(last=False)
            kept.move_to_end(key)
            return kept[key]

    return of
