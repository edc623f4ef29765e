"""What the widget does when something in it is pressed."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr

from medqa_core.answering.admission import visitor_address
from medqa_core.answering.question import GenerationSettings, checked_question
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.service import Answers, AnswerService, paced
from medqa_core.answering.sources import reading
from medqa_core.answering.training_set import training_set
from medqa_core.evaluation.proof import self_test
from medqa_core.foundation.errors import EmergencyDescribed, InputError, MedQAError
from medqa_core.models.variants import VARIANTS
from medqa_core.report.wording import int8
from medqa_core.runs.artifacts.int8 import read_int8
from medqa_core.runs.reading import Reading
from medqa_core.runs.store.run_store import answerable
from medqa_core.runs.store.search import offered
from pages.ask import blind as ask_blind
from pages.ask.blind import Blind
from pages.ask.text import meta, referred, sources, status, who

REFRESH_SECONDS = 0.12
"""Between two updates of the columns: the eye sees no more, and each one costs the browser work."""

Card = tuple[gr.Column, gr.HTML, gr.Textbox, gr.HTML]
Update = dict[Any, Any]
"""New values by component; what is not named stays as it is."""


@dataclass(frozen=True)
class Parts:
    """The components that an answer changes."""

    left: Card
    right: Card
    third: Card
    line: gr.HTML
    ballot: gr.Row
    comparison: gr.State

    @property
    def all(self) -> list[Any]:
        """Every one of them."""
        return [*self.left, *self.right, *self.third, self.line, self.ballot, self.comparison]


class Events:
    """The widget's listeners, over one service."""

    def __init__(self, service: AnswerService, parts: Parts) -> None:
        self.parts = parts
        self._desk = service

    def ask(
        self,
        run: str,
        question: str,
        temperature: float,
        max_new_tokens: float,
        seed: float,
        precision: str,
        blind: bool,
        sourced: bool,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio finds out that it is wanted
    ) -> Iterator[Update]:
        """Both answers as they grow, the third one where it is asked for."""
        parts = self.parts
        run = run or self._desk.run(_asked(request))  # a click can be faster than the list of runs
        comparison = Blind(run, question) if blind else None
        left, right = comparison.variants() if comparison else VARIANTS
        cards = {left: parts.left, right: parts.right, "with_sources": parts.third}
        passages: list[Passage] = []
        yield self._cleared(blind, sourced and not blind)
        try:
            chosen = GenerationSettings.checked(
                temperature=temperature, max_new_tokens=max_new_tokens, seed=seed, precision=precision
            )
            checked_question(question)  # before anything is said of loading
            yield {parts.line: status("Loading the models; the first question takes a few seconds.")}
            answers: Answers = {}
            read = passages if sourced and not blind else None
            for answers in self._answers(question, run, chosen, request, read, lambda text: progress(None, desc=text)):
                running = any(answer.state == "running" for answer in answers.values())
                update: Update = {cards[variant][2]: answer.text for variant, answer in answers.items()}
                if comparison is None:
                    update |= {cards[variant][3]: meta(answer) for variant, answer in answers.items()}
                if passages:
                    update[parts.third[3]] = sources(passages) + meta(answers["with_sources"])
                yield {**update, parts.line: status("The models are answering." if running else "Done.")}
            if comparison is None:
                yield {cards[variant][3]: html for variant, html in self._finished(run, answers, passages).items()}
            else:
                final = comparison.with_answers(answers)
                voting = status("Which answer is better? Your vote reveals whose is whose.")
                yield {parts.comparison: final, parts.ballot: gr.update(visible=True), parts.line: voting}
        except EmergencyDescribed:
            yield {**self._cleared(blind, False), parts.line: status("No model was asked.")}
        except MedQAError as error:
            yield {parts.line: status(str(error), bad=True)}

    def voter(self, choice: str) -> Callable[[Blind | None], Update]:
        """The listener of one button of the ballot."""

        def cast(comparison: Blind | None) -> Update:
            parts = self.parts
            try:
                if comparison is None:
                    raise InputError("There is nothing to vote on: ask a question in the blind comparison first.")
                run = self._desk.store.open(comparison.run)
                said = status(ask_blind.vote(comparison, choice, run, self._desk.settings))
            except MedQAError as error:
                return {parts.line: status(str(error), bad=True)}
            finished = self._finished(comparison.run, comparison.answers or {}, [])
            update: Update = {parts.line: said, parts.ballot: gr.update(visible=False), parts.comparison: None}
            for card, variant in zip((parts.left, parts.right), comparison.variants(), strict=True):
                update |= {card[1]: who(variant), card[3]: finished[variant]}
            return update

        return cast

    def screen(self, question: str) -> str:
        """The referral, where one is due: outside the queue, so that nobody waits for it."""
        try:
            checked_question(question)
        except EmergencyDescribed:
            return referred()
        except MedQAError:
            pass  # `ask` says what is wrong
        return ""

    def compare(
        self,
        question: str,
        run: str = "",
        temperature: float = 0.0,
        max_new_tokens: int = 128,
        seed: int = 42,
        precision: str = "float32",
        with_sources: bool = False,
        request: gr.Request | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Answer a question with the base and the fine-tuned model of a run; each answer says what produced it.

        `with_sources` adds a third answer of that name and the passages that it was given. A question that describes an
        emergency gets a `referral` in place of the answers.
        """
        passages: list[Passage] = []
        try:
            chosen = GenerationSettings.checked(
                temperature=temperature, max_new_tokens=max_new_tokens, seed=seed, precision=precision
            )
            for answers in self._answers(question, run, chosen, request, passages if with_sources else None):
                found: dict[str, Any] = {column: answer.as_dict() for column, answer in answers.items()}
                yield {**found, "passages": [asdict(one) for one in passages]} if with_sources else found
        except EmergencyDescribed as emergency:
            yield {"referral": str(emergency)}
        except MedQAError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def choices(self, request: gr.Request) -> Any:
        """The runs that can answer; the one that the address names is chosen."""
        chosen = self._desk.run(_asked(request))
        ids = offered(answerable(self._desk.store), keep=[chosen] if chosen else [])
        return gr.update(choices=ids, value=chosen or None)

    def test_question(self, run: str, request: gr.Request) -> tuple[Any, str]:
        """One of the run's test questions: a vote on it also tells whether people agree with ROUGE."""
        try:
            chosen = self._desk.store.open(run or self._desk.run(_asked(request)))
            return ask_blind.any_test_question(chosen, self._desk.settings), status("A question from the test set.")
        except MedQAError as error:
            return gr.update(), status(str(error), bad=True)

    def int8_cost(self, run: str) -> str:
        """What the fast mode costs in quality, as far as it was measured for this run."""
        try:
            cost = read_int8(self._desk.store.open(run).folder) if run else Reading(None)
        except MedQAError:
            cost = Reading(None)
        if cost.problems:
            return status(cost.problems[0], bad=True)
        unknown = (
            "What int8 costs in quality was not measured for this run: python -m medqa_core evaluate RUN --int8-cost"
        )
        return status(int8.sentence(cost.value) if cost.value else unknown)

    def prove(self, run: str, precision: str, request: gr.Request) -> str:
        """The self-test of who says what."""
        try:
            chosen = GenerationSettings.checked(precision=precision).precision
            with self._desk.models(run or self._desk.run(_asked(request)), _visitor(request), chosen) as models:
                passed, said = self_test(models, self._desk.settings)
            return status(said, bad=not passed)
        except MedQAError as error:
            return status(str(error), bad=True)

    def _answers(
        self,
        question: str,
        run: str,
        settings: GenerationSettings,
        request: gr.Request | None,
        passages: list[Passage] | None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> Iterator[Answers]:
        """Answers at a pace that a browser can follow; the last one is final. Fills `passages` where it is a list."""

        ground = None if passages is None else reading(self._desk, question, passages)
        found = self._desk.answers(
            question, run, settings, visitor=_visitor(request), grounding=ground, progress=progress
        )
        return paced(found, REFRESH_SECONDS)

    def _finished(self, run: str, answers: Answers, passages: list[Passage]) -> dict[str, str]:
        """The lines under finished answers, with what of them stands in the training set where that is in reach."""
        try:
            train = training_set(self._desk.store.open(run), self._desk.settings)
            found = {c: meta(answer, train.spans(answer.text), train.questions) for c, answer in answers.items()}
        except MedQAError:
            found = {column: meta(answer) for column, answer in answers.items()}
        return {
            column: (sources(passages) if column == "with_sources" else "") + html for column, html in found.items()
        }

    def _cleared(self, blind: bool, third: bool) -> Update:
        """Empty cards, named unless the comparison is blind."""
        parts = self.parts
        names = ("left", "right") if blind else VARIANTS
        update: Update = {parts.ballot: gr.update(visible=False), parts.comparison: None, parts.line: status("")}
        for card, name in zip((parts.left, parts.right, parts.third), (*names, "with_sources"), strict=True):
            update |= {card[1]: who(name), card[2]: "", card[3]: ""}
        return {**update, parts.third[0]: gr.update(visible=third)}


def _asked(request: gr.Request) -> str:
    """The run that the address names."""
    return str(request.query_params.get("run", ""))


def _visitor(request: gr.Request | None) -> str:
    if request is None or request.client is None:
        return ""
    lines = request.request.headers.getlist("x-forwarded-for") if request.request else []  # a proxy may add a line
    return visitor_address(request.client.host, ",".join(lines))
