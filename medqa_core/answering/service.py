"""Where questions are handed in: every interface asks here, so that the same rules hold for all of them."""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress

from medqa_core.answering.admission import Admission, Limits
from medqa_core.answering.compare import Answers, Column, Earlier, compare, last_question
from medqa_core.answering.model_cache import ModelCache, Models
from medqa_core.answering.question import GenerationSettings, Question
from medqa_core.answering.retrieval.library import library_for
from medqa_core.answering.sources import find_sources, reads
from medqa_core.answering.training_set import Overlap, training_set
from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import MedQAError, ModelUnavailable
from medqa_core.foundation.progress import Progress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import VARIANTS, Variant
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Precision
from medqa_core.runs.store.run_store import RunStore, answerable
from medqa_core.runs.store.search import latest


class AnswerService:
    """Answers questions about the runs of one store with one run's models in memory, one question at a time."""

    def __init__(self, settings: Settings, store: RunStore, models: ModelCache, admission: Admission) -> None:
        """All four are the caller's: two services over one `models` never hold two sets of weights."""
        self.settings = settings
        self.store = store
        self.limits = Limits.of(settings)
        self._models = models
        self._admission = admission

    @classmethod
    def of(cls, settings: Settings) -> "AnswerService":
        """A service with a store, a model cache and limits of its own."""
        store = RunStore(settings.reports)
        return cls(settings, store, ModelCache(settings, store), Admission(settings, store))

    def choose_run(self, wanted: str = "") -> str:
        """The run asked for if it can answer, else the latest that can, else an empty text."""
        there = answerable(self.store)
        if any(entry.id == wanted for entry in there):
            return wanted
        found = latest(there)
        return found.id if found else ""

    def check_place(self, queued: int) -> None:
        """Whether one more question may wait beside `queued` ones that an interface holds back itself.

        Raises:
            NotNow: the queue is full.
        """
        self._admission.check_place(queued)

    @contextmanager
    def models(
        self,
        run: str,
        visitor: str = "",
        precision: Precision = "float32",
        progress: Progress = silent,
        *,
        with_library: bool = False,
    ) -> Iterator[Models]:
        """A run's models, to the caller alone until the block ends; counts as a question.

        `with_library`: its library is read beside, while others are answered or the models are loaded.

        Raises:
            NotNow: a limit of the public demo.
            MedQAError: the run has no models that can be loaded.
        """
        with self._admission.place():
            self._admission.admit(visitor)  # inside: a question that the full queue refuses does not count
            if with_library:
                self.open_library(run)
            with self._models.lend(run, progress, precision=precision) as models:
                yield models

    def answers(
        self,
        question: Question,
        run: str = "",
        settings: GenerationSettings | None = None,
        *,
        visitor: str = "",
        variants: Sequence[Variant] = VARIANTS,
        with_sources: bool | None = False,
        earlier: Earlier | None = None,
        progress: Progress = silent,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Generator[Answers, None, None]:
        """All answers as they grow; see `compare`. Closing the iterator stops the models and frees them.

        Args:
            question: what is asked.
            run: whose models answer; empty: the newest run that can.
            settings: how tokens are chosen.
            visitor: the asker's address, for the limits of a public demo.
            variants: which of the two models answer.
            with_sources: whether passages of the library are read before answering: by both models of a run that was
                fine-tuned for it, else for a third answer. None: where the run was fine-tuned for it.
            earlier: the turns before the question; see `compare`. Passages are looked for with the last one's question
                and this one together.
            progress: told what takes long before the first token.
            cancelled: asked after each token.

        Raises:
            QuestionRefused: the question is longer than the model's context.
            NotNow: a limit of the public demo.
            MedQAError: the run has no models that can be loaded, or there is no library to read.
        """
        settings = settings or GenerationSettings()
        chosen = run or self.choose_run()
        if not chosen:
            raise ModelUnavailable(f"No run here has a model to ask. Start one: {PROGRAM} train --preset starter")
        with_sources = self.reads(chosen) if with_sources is None else with_sources
        with self.models(chosen, visitor, settings.precision, progress, with_library=with_sources) as models:
            if with_sources:
                progress("opening the library")
            before = last_question(earlier or {})
            opened = self.store.open(chosen) if with_sources else None
            sources = find_sources(question, opened, self.settings, before) if opened else None
            found = compare(
                models,
                question,
                settings,
                variants=variants,
                sources=sources,
                earlier=earlier,
                limits=self.limits,
                cancelled=cancelled,
            )
            with closing(found):
                yield from found

    def reads(self, run: str) -> bool:
        """Whether the run's models answer with sources where nobody says whether they shall; False for no such run."""
        try:
            return reads(self.store.open(run))
        except MedQAError:
            return False

    def prepare(self, run: str) -> None:
        """Begin to read what a visitor will need first, the models before all else; returns at once."""
        self._models.prepare(run)
        self._read(run, *([library_for] if self.reads(run) else []), training_set)

    def open_library(self, run: str) -> None:
        """Begin to read the run's library while its models are loaded or nobody has asked yet; returns at once."""
        self._read(run, library_for)

    def _read(self, run: str, *parts: Callable[[Run, Settings], object]) -> None:
        """Begin to read these, one after the other; each is kept by whoever reads it."""

        def read() -> None:
            for part in parts:
                with suppress(MedQAError):  # who asks is told
                    part(self.store.open(run), self.settings)

        threading.Thread(target=read, name=f"data of {run}", daemon=True).start()

    def overlaps(self, run: str, answers: Answers) -> dict[Column, Overlap]:
        """What of each answer stands in the run's training set; empty where that is not available."""
        try:
            train = training_set(self.store.open(run), self.settings)
        except MedQAError:
            return {}
        return {column: train.overlap(answer.text) for column, answer in answers.by_column.items()}


def paced(found: Generator[Answers, None, None], seconds: float) -> Iterator[Answers]:
    """Answers at a pace that a reader can follow, `seconds` apart or more; the last one is final and always comes."""
    shown, answers = 0.0, None
    with closing(found):
        for answers in found:
            if time.monotonic() - shown >= seconds:
                shown = time.monotonic()
                yield answers
    if answers is not None:
        yield answers
