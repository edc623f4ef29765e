"""Where questions are handed in: every interface asks here, so that the same rules hold for all of them."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager

from medqa_core.answering.admission import Admission, Limits
from medqa_core.answering.compare import Answer, Column, Grounding, compare
from medqa_core.answering.model_cache import ModelCache, Models
from medqa_core.answering.question import GenerationSettings, Precision, checked_question
from medqa_core.foundation.errors import ModelUnavailable
from medqa_core.foundation.settings import Settings
from medqa_core.runs.store.run_store import RunStore, answerable

Answers = dict[Column, Answer]


class AnswerService:
    """Answers questions about the runs of one store with one run's models in memory, one question at a time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = RunStore(settings.reports)
        self.limits = Limits.of(settings)
        self._pool = ModelCache(settings)
        self._admission = Admission(settings)

    def run(self, asked: str = "") -> str:
        """The run asked for if it can answer, else the newest that can, else an empty text."""
        ids = [entry.id for entry in answerable(self.store)]
        return asked if asked in ids else next(iter(ids), "")

    @contextmanager
    def models(
        self,
        run: str,
        visitor: str = "",
        precision: Precision = "float32",
        progress: Callable[[str], None] = lambda _: None,
    ) -> Iterator[Models]:
        """A run's models, to the caller alone until the block ends; counts as a question.

        Raises:
            MedQAError: as `answers`, the question's own errors apart.
        """
        self._admission.admit(visitor)
        with self._admission.place(), self._pool.lend(run, progress, precision=precision) as models:
            yield models

    def answers(
        self,
        question: str,
        run: str = "",
        settings: GenerationSettings | None = None,
        *,
        visitor: str = "",
        grounding: Callable[[str], Grounding] | None = None,
        progress: Callable[[str], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Generator[Answers, None, None]:
        """All answers as they grow; see `compare`. Closing the iterator stops the models and frees them.

        Args:
            question: what is asked.
            run: whose models answer; empty: the newest run that can.
            settings: how tokens are chosen.
            visitor: the asker's address, for the limits of a public demo.
            grounding: what a third column reads, given the run's id; None: there is none.
            progress: told what takes long before the first token.
            cancelled: asked after each token.

        Raises:
            QuestionRefused: the question is not to be put to a model; EmergencyDescribed carries the referral.
            NotNow: a limit of the public demo.
            MedQAError: the run has no models that can be loaded.
        """
        settings = settings or GenerationSettings()
        asked = checked_question(question)
        chosen = run or self.run()
        if not chosen:
            raise ModelUnavailable(
                "No run here has a model to ask. Start one: python -m medqa_core train --preset starter"
            )
        with self.models(chosen, visitor, settings.precision, progress) as models:
            found = compare(
                models,
                asked,
                settings,
                grounding=grounding(chosen) if grounding else None,
                limits=self.limits,
                cancelled=cancelled,
            )
            with closing(found):
                yield from found


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
