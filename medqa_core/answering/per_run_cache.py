"""What is made of a run's training pairs: once a run, since it takes seconds, however many ask at the same time."""

import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from medqa_core.data.lookup import split_of
from medqa_core.data.pairs import QAPair
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore

T = TypeVar("T")
RUNS = 2
"""Of so many runs it is kept in memory."""


def per_run_cache(make: Callable[[Sequence[QAPair], Settings], T]) -> Callable[[Run, Settings], T]:
    """`make` of a run's training pairs, kept while the run's data are the same.

    What it returns raises MedQAError where the data are not in reach, or are not those that the run was trained on.
    """
    making = threading.Lock()  # two visitors who ask at once make it once

    @lru_cache(maxsize=RUNS)
    def made(folder: Path, settings: Settings, split_hash: str | None) -> T:
        record = RunStore(folder.parent).open(folder.name).record
        return make(split_of(record, settings)[1].train, settings)

    def of(run: Run, settings: Settings) -> T:
        with making:
            return made(run.folder, settings, run.record.data.split_hash if run.record.data else None)

    return of
