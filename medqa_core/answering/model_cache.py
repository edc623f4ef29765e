"""The models in memory: one run's at a time, lent to one question at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from medqa_core.answering.decoder import Decoder
from medqa_core.answering.engine import decoder_for
from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.progress import Progress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.foundation.stamp import FileStamp
from medqa_core.models.variants import ModelVariants, load_variants
from medqa_core.runs.artifacts.weights import config_file
from medqa_core.runs.schema.evaluation import Precision
from medqa_core.runs.store.run_store import RunStore


@dataclass(frozen=True)
class Models:
    """A run's models, ready to answer."""

    variants: ModelVariants
    decoder: Decoder


class ModelCache:
    """Lends out the models of a run; another run's are loaded in their place when they are asked for."""

    def __init__(self, settings: Settings, store: RunStore) -> None:
        self._settings = settings
        self._store = store
        self._lock = threading.Lock()
        self._variants: ModelVariants | None = None
        self._decoder: Decoder | None = None
        self._stamps: tuple[FileStamp, ...] = ()

    @contextmanager
    def lend(self, run_id: str, progress: Progress = silent, *, precision: Precision = "float32") -> Iterator[Models]:
        """The models of `run_id`, to the caller alone until the block ends; others wait.

        Raises:
            MedQAError: no such run, it has no model that can be loaded, or none of that precision.
        """
        run = self._store.open(run_id)
        with self._lock:
            if self._variants is None or self._variants.run_id != run.id or self._stamps != self._stamps_of(run_id):
                self._variants = self._decoder = None  # free the old weights before the new ones are read
                stamps = self._stamps_of(run_id)  # before: what is replaced while it is read is read again
                self._variants = load_variants(run, self._settings, progress)
                self._stamps = stamps
            if self._decoder is None or self._decoder.precision != precision:
                self._decoder = None
                self._decoder = decoder_for(self._variants, self._settings, precision, progress)
            yield Models(self._variants, self._decoder)

    def prepare(self, run_id: str) -> None:
        """Begin to load a run's models before anyone asks; returns at once.

        Only where none are loaded: visitors who look at one run after the other push nobody's models out.
        """

        def load() -> None:
            with suppress(MedQAError), self.lend(run_id):  # who asks is told what is wrong
                pass

        if self._variants is None and not self._lock.locked():
            threading.Thread(target=load, name=f"models of {run_id}", daemon=True).start()

    def _stamps_of(self, run_id: str) -> tuple[FileStamp, ...]:
        """Change when the run's weights are replaced, or the configuration beside them: an adapter's scale is there."""
        path = self._store.open(run_id).weights_file()
        return () if path is None else (FileStamp.of(path), FileStamp.of(config_file(path)))
