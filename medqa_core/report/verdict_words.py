"""The verdict of each run in a word, kept in `MEDQA_CACHE`: a verdict follows from a run's whole folder, 40 ms of it.

A word serves while the files that it was made from are the same. The file can be deleted at any time, and one that is
damaged is not used.
"""

import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import get_args

from medqa_core import __version__
from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.files import dumps, loads, read_text, sha256_text, write_text
from medqa_core.foundation.settings import Settings
from medqa_core.foundation.stamp import ABSENT, FileStamp
from medqa_core.report.views.verdict import Word, verdict_view
from medqa_core.runs.artifacts.mmlu import ANSWERS, RESULTS
from medqa_core.runs.artifacts.names import stored_name
from medqa_core.runs.artifacts.predictions import PREDICTIONS
from medqa_core.runs.artifacts.training_record import TRAINING
from medqa_core.runs.metrics_log.log import METRICS_LOG
from medqa_core.runs.part_cache import SETTLED
from medqa_core.runs.readers import EVALUATION
from medqa_core.runs.records import RECORD, STATUS
from medqa_core.runs.store.run_store import RunStore

FORMAT = f"1 of {__version__}"
"""Counts up with every change of how a verdict is reached."""
LIMIT = 64 * 2**20
"""Bytes of a file that is read: words of about a million runs."""
MADE_FROM = (RECORD, STATUS, TRAINING, METRICS_LOG, EVALUATION, PREDICTIONS, RESULTS, ANSWERS)
"""The files that a verdict follows from."""


class VerdictWords:
    """The words of one store's runs; safe to share between threads."""

    def __init__(self, store: Path, cache: Path) -> None:
        self._store = store
        self._file = cache / "verdicts" / f"{sha256_text(str(store.resolve()))[:32]}.json"
        self._lock = threading.Lock()
        self._known = self._load()
        self._changed = False

    def word(self, run_id: str) -> Word | None:
        """The verdict of a run; None where nothing was compared, or the run cannot be opened."""
        folder = self._store / run_id
        stamps = [FileStamp.of(folder / stored_name(folder, name)) for name in MADE_FROM]
        if stamps[MADE_FROM.index(EVALUATION)] == ABSENT:
            return None
        key = sha256_text(repr([tuple(stamp) for stamp in stamps]))[:16]
        found = self._known.get(run_id)
        if found is not None and found[0] == key:
            return found[1]
        began = time.time_ns()
        try:
            word = verdict_view(RunStore(self._store).open(run_id)).word
        except MedQAError:
            return None
        if began - max(stamp.modified for stamp in stamps) > SETTLED:
            with self._lock:
                self._known[run_id] = key, word
                self._changed = True
        return word

    def save(self) -> None:
        """Keep the words that came since the last time; without the file the next process is merely slower."""
        with self._lock:
            if not self._changed:
                return
            self._changed = False
            value = {"format": FORMAT, "store": str(self._store.resolve()), "runs": dict(self._known)}
        try:
            write_text(self._file, dumps(value))
        except (MedQAError, OSError, ValueError):
            return

    def _load(self) -> dict[str, tuple[str, Word | None]]:
        try:
            value = loads(read_text(self._file, LIMIT))
            if value["format"] != FORMAT or value["store"] != str(self._store.resolve()):
                return {}
            known = {str(name): (str(key), word) for name, (key, word) in value["runs"].items()}
        except (MedQAError, OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}
        return {name: one for name, one in known.items() if one[1] is None or one[1] in get_args(Word)}


def verdict_words(store: Path) -> VerdictWords:
    """Those of a store, one object a process."""
    return _words(store, Settings.from_environment().cache)


@lru_cache(maxsize=8)
def _words(store: Path, cache: Path) -> VerdictWords:
    return VerdictWords(store, cache)
