"""What the widget does when something in it is pressed."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import gradio as gr

from medqa_core.answering import openvino_decoder
from medqa_core.answering.admission import visitor_address
from medqa_core.answering.compare import Answers, Column, Earlier
from medqa_core.answering.conversation import Conversation
from medqa_core.answering.question import ASK_NO_REPEAT, GenerationSettings, Question
from medqa_core.answering.service import AnswerService, paced
from medqa_core.answering.training_set import Overlap
from medqa_core.evaluation.blind import BlindComparison, any_test_question, has_test_questions, votable, vote
from medqa_core.evaluation.proof import self_test
from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import EmergencyDescribed, InputError, MedQAError
from medqa_core.foundation.progress import Progress, silent
from medqa_core.models.variants import VARIANTS, Variant
from medqa_core.report.wording import int8
from medqa_core.report.wording.self_test import sentence as self_test_sentence
from medqa_core.runs.artifacts.int8 import read_int8
from medqa_core.runs.artifacts.votes import Choice
from medqa_core.runs.reading import Reading
from medqa_core.runs.store.run_store import answerable
from medqa_core.runs.store.search import labels, offered
from pages.ask.parts import Card, Parts
from pages.ask.text import (
    AGAIN,
    ASK,
    Cut,
    Place,
    State,
    after_vote,
    history,
    linked,
    meta,
    notice,
    out_of_time,
    referral,
    sources,
    state,
    status,
    unnamed,
    voted,
    who,
)

LOG = logging.getLogger("medqa.pages")
REFRESH_SECONDS = 0.12
"""Between two updates of the columns: the eye sees no more, and each one costs the browser work."""
PREFERRED: dict[Variant, str] = {"fine_tuned": "fine-tuned better", "base": "base better"}
PREFERENCES = (*PREFERRED.values(), "tie", "both bad")
"""What a vote can be for."""

Update = dict[Any, Any]
"""New values by component; what is not named stays as it is."""


class Unfinished(NamedTuple):
    """Answers that are still being given."""

    answers: Answers
    comparison: BlindComparison | None
    """The blind one that they belong to: nobody is told whose they are."""


class Events:
    """The widget's listeners, over one service."""

    def __init__(self, service: AnswerService, parts: Parts, queued: Callable[[], int] = lambda: 0) -> None:
        """`queued` counts the questions that wait for their second half, in a queue that is not the service's."""
        self.parts = parts
        self._service = service
        self._queued = queued

    def screen(self, text: str, blind: bool, under_way: Question | None = None) -> Update:
        """The first half of a press of Ask: makes the question, outside the queue, so that nobody waits for a referral.

        The only check of a press: `ask`, the second half, takes the question from the session's state on this server,
        which no browser can write. `under_way` is the visitor's question before, while it waits or is answered: its
        place in the queue is this one's.
        """
        parts = self.parts
        try:
            question = Question.checked(text)
            if under_way is None:
                self._service.check_place(self._queued())
            waiting = {parts.line: state("waiting"), parts.stop: gr.update(interactive=True), parts.start: ASK}
            return {parts.question: question, parts.referral: notice(question), **waiting}
        except EmergencyDescribed:
            said, shown, label = state("refused"), referral(), ASK
        except MedQAError as error:
            said, shown, label = status(str(error), bad=True), "", _label(error)
        return {
            **self._cleared(blind),
            parts.start: label,
            parts.question: None,
            parts.line: said,
            parts.referral: shown,
        }

    def ask(
        self,
        run: str,
        question: Question | None,
        temperature: float,
        max_new_tokens: float,
        seed: float,
        precision: str,
        no_repeat_ngram: float,
        blind: bool,
        sourced: bool,
        follow: bool,
        conversation: Conversation | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio finds out that it is wanted
    ) -> Iterator[Update]:
        """The second half: both answers as they grow, those with sources sentence by sentence."""
        parts = self.parts
        if question is None:  # `screen` has said why, and an iterator without an item would empty what it said
            yield {parts.line: gr.skip()}
            return
        latest: Unfinished | None = None
        try:  # whatever goes wrong from here on: the line must not go on to say that the question waits
            run = run or self._service.choose_run(_named(request))  # a click can be faster than the list of runs
            comparison = BlindComparison(run, question) if blind else None
            talk = _continued(run, conversation if follow and not blind else None)
            cards = self._cards(comparison)
            reading = self._reading(run) if sourced else ()
            cleared = self._cleared(blind, [cards[column] for column in reading])
            yield {**cleared, parts.stop: gr.update(interactive=True), parts.history: history(talk.turns)}
            chosen = GenerationSettings.checked(
                temperature=temperature,
                max_new_tokens=max_new_tokens,
                seed=seed,
                precision=precision,
                no_repeat_ngram=no_repeat_ngram,
            )
            yield {parts.line: state("loading")}
            told: Progress = lambda text: progress(None, desc=text)  # noqa: E731
            for answers in self._answers(question, run, chosen, request, bool(reading), told, talk.turns):
                latest = Unfinished(answers, comparison)
                yield self._growing(latest, talk, hidden=comparison is not None and "with_sources" in reading)
            yield self._whole(question.text, latest or Unfinished(Answers({}), comparison), talk)
        except MedQAError as error:
            yield {**self._cut(latest, "failed"), parts.line: status(str(error), bad=True), parts.start: _label(error)}
        except Exception:
            LOG.exception("A question could not be answered.")
            yield {**self._cut(latest, "failed"), parts.line: state("failed"), parts.start: AGAIN}

    def _cards(self, comparison: BlindComparison | None) -> dict[Column, Card]:
        """In which card each column's answer stands."""
        left, right = (comparison.left, comparison.right) if comparison else VARIANTS
        return {left: self.parts.left, right: self.parts.right, "with_sources": self.parts.third}

    def _growing(self, latest: Unfinished, talk: Conversation, *, hidden: bool) -> Update:
        """Answers so far; `hidden`: what only one of the models reads stays so until the vote."""
        parts, (answers, comparison) = self.parts, latest
        cards = self._cards(comparison)
        now: Update = {parts.latest: latest, parts.line: state("answering" if answers.running else "comparing")}
        if comparison is None:
            now |= {**_details(answers, cards), parts.history: history(talk.turns, answers)}
        if not hidden:
            now |= {parts.sources: sources(answers)}
        return {**_shown(answers, cards, blind=comparison is not None), **now}

    def _whole(self, question: str, latest: Unfinished, talk: Conversation) -> Update:
        """Answers that were given to the end: everything about them, or the ballot."""
        parts, (answers, comparison) = self.parts, latest
        ended = {parts.stop: gr.update(interactive=False), parts.latest: None, parts.question: None}
        if comparison is not None and votable(answers):
            return {
                **ended,
                **self._talk(None),
                parts.comparison: replace(comparison, answers=answers),
                parts.ballot: gr.update(visible=True),
                parts.line: state("voting first" if "with_sources" in answers.reading else "voting"),
            }
        revealed = self._revealed(talk.run, answers, self._cards(comparison))
        following = talk.after(question, answers) if comparison is None else None
        said = state(_end(answers, blind=comparison is not None), self._service.limits.seconds)
        return {**revealed, **ended, **self._talk(following), parts.line: said}

    def _cut(self, latest: Unfinished | None, cut: Cut) -> Update:
        """Answers that end where they are: below each one why, and of a blind comparison no more than that."""
        parts = self.parts
        update: Update = {parts.stop: gr.update(interactive=False), parts.latest: None, parts.question: None}
        if latest is None:
            return update
        cards, blind = self._cards(latest.comparison), latest.comparison is not None
        return update | {
            cards[column].details: unnamed(answer, cut) if blind else meta(answer, cut=cut)
            for column, answer in latest.answers.by_column.items()
        }

    def renew(self) -> Update:
        """A new conversation: nothing of the old one is shown or asked along."""
        parts = self.parts
        return {
            **self._cleared(False),
            **self._talk(None),
            parts.question: None,
            parts.history: "",
            parts.text: "",
            parts.line: state("ready"),
        }

    def _talk(self, talk: Conversation | None) -> Update:
        """What the next question may follow; where it can follow nothing, there is no way to ask it so."""
        parts, there = self.parts, bool(talk and talk.turns)
        update: Update = {parts.conversation: talk if there else None, parts.talking: gr.update(visible=there)}
        return update if there else {**update, parts.follow: False}

    def stopped(self, latest: Unfinished | None) -> Update:
        """After the answers were cancelled: the line, and below each answer that it was stopped."""
        return {**self._cut(latest, "stopped"), self.parts.line: state("stopped")}

    def voter(self, choice: Choice) -> Callable[[BlindComparison | None, dict[str, int] | None], Update]:
        """The listener of one button of the ballot."""

        def cast(comparison: BlindComparison | None, tally: dict[str, int] | None = None) -> Update:
            parts = self.parts
            try:
                if comparison is None or comparison.answers is None:
                    raise InputError("There is nothing to vote on: ask a question in the blind comparison first.")
                run = self._service.store.open(comparison.run)
                result = vote(comparison, choice, run, self._service.settings)
            except MedQAError as error:
                return {parts.line: status(str(error), bad=True)}
            counted = {**(tally or dict.fromkeys(PREFERENCES, 0))}
            counted[choice if result.winner is None else PREFERRED[result.winner]] += 1
            return {
                **self._revealed(comparison.run, comparison.answers, self._cards(comparison)),
                parts.tally: counted,
                parts.after: after_vote(result, counted),
                parts.following: gr.update(visible=has_test_questions(run, self._service.settings)),
                parts.line: status(voted(result)),
                parts.ballot: gr.update(visible=False),
                parts.comparison: None,
            }

        return cast

    def following(self, run: str, blind: bool, request: gr.Request) -> Update:
        """The first half of a press of the button below a vote: another test question, asked at once."""
        try:
            text = self._test_question(run, request)
        except MedQAError as error:
            return {self.parts.question: None, self.parts.line: status(str(error), bad=True)}
        return {**self.screen(text, blind), self.parts.text: text}

    def compare(
        self,
        question: str,
        run: str = "",
        temperature: float = 0.0,
        max_new_tokens: int = 128,
        seed: int = 42,
        precision: str = "float32",
        with_sources: bool | None = None,
        no_repeat_ngram: int = ASK_NO_REPEAT,
        request: gr.Request | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Answer a question with the base and the fine-tuned model of a run; each answer says what produced it.

        `with_sources`: read passages first. Both models of a run that was fine-tuned to read do (for it, that is the
        default), of another run a third answer of that name. `passages` are what was read, `searched` says where;
        `sentences` of an answer name the passage that supports each. A question that describes an emergency gets a
        `referral`, which is the text of each answer too: no model is asked. `notice` comes with a question in a
        language in which emergencies are not recognised.
        """
        try:
            checked = Question.checked(question)
            chosen = GenerationSettings.checked(
                temperature=temperature,
                max_new_tokens=max_new_tokens,
                seed=seed,
                precision=precision,
                no_repeat_ngram=no_repeat_ngram,
            )
            for answers in self._answers(checked, run, chosen, request, with_sources):
                yield answers.as_dict() | ({"notice": checked.notice} if checked.notice else {})
        except EmergencyDescribed as emergency:
            yield referred(str(emergency), bool(with_sources))
        except MedQAError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def choices(self, request: gr.Request) -> Any:
        """The runs that can answer; the one that the address names is chosen."""
        chosen = self._service.choose_run(_named(request))
        able = answerable(self._service.store)
        named = labels(able)
        ids = offered(able, keep=[chosen] if chosen else [])
        return gr.update(choices=[(named(one), one) for one in ids], value=chosen or None)

    def with_sources(self, run: str) -> bool:
        """Whether a run that was just chosen answers with sources; what it needs is loaded before anyone asks."""
        if run:
            self._service.prepare(run)
        return bool(run) and self._service.reads(run)

    def test_question(self, run: str, request: gr.Request) -> tuple[Any, str]:
        """One of the run's test questions: a vote on it also tells whether people agree with ROUGE."""
        try:
            return self._test_question(run, request), status("A question from the test set.")
        except MedQAError as error:
            return gr.update(), status(str(error), bad=True)

    def _test_question(self, run: str, request: gr.Request) -> str:
        chosen = self._service.store.open(run or self._service.choose_run(_named(request)))
        return any_test_question(chosen, self._service.settings)

    def int8_cost(self, run: str, request: gr.Request) -> str:
        """The quality cost of int8, as far as it was measured for this run, or for the one that the address names."""
        run = run or self._service.choose_run(_named(request))
        try:
            cost = read_int8(self._service.store.open(run).folder) if run else Reading(None)
        except MedQAError:
            cost = Reading(None)
        if cost.problems:
            return status(cost.problems[0], bad=True)
        unknown = f"The quality cost of int8 was not measured for this run: {PROGRAM} evaluate {run} --int8-cost"
        return status(int8.sentence(cost.value, openvino_decoder.NAME) if cost.value else unknown)

    def prove(self, run: str, precision: str, request: gr.Request) -> str:
        """Verify which model answered."""
        try:
            chosen = GenerationSettings.checked(precision=precision).precision
            run = run or self._service.choose_run(_named(request))
            with self._service.models(run, _visitor(request), chosen) as models:
                test = self_test(models, self._service.settings)
            return status(self_test_sentence(test), bad=not test.passed)
        except MedQAError as error:
            return status(str(error), bad=True)

    def _answers(
        self,
        question: Question,
        run: str,
        settings: GenerationSettings,
        request: gr.Request | None,
        with_sources: bool | None,
        progress: Progress = silent,
        earlier: Earlier | None = None,
    ) -> Iterator[Answers]:
        """Answers at a pace that a browser can follow; the last one is final."""
        visitor = _visitor(request)
        found = self._service.answers(
            question,
            run,
            settings,
            visitor=visitor,
            with_sources=with_sources,
            earlier=earlier,
            progress=progress,
        )
        return paced(found, REFRESH_SECONDS)

    def _reading(self, run: str) -> tuple[Column, ...]:
        """Which columns answer with sources where that is asked for."""
        return VARIANTS if self._service.reads(run) else ("with_sources",)

    def _revealed(self, run: str, answers: Answers, cards: Mapping[Column, Card]) -> Update:
        """Everything about whole answers: whose they are, what produced them and what they copy."""
        return {
            **_shown(answers, cards),
            **_details(answers, cards, self._service.overlaps(run, answers)),
            **{cards[column].who: who(column) for column in answers.by_column},
            self.parts.sources: sources(answers),
            self.parts.third.frame: gr.update(visible="with_sources" in answers.by_column),
        }

    def _cleared(self, blind: bool, reading: Sequence[Card] = ()) -> Update:
        """Empty cards, named unless the comparison is blind; those of `reading` show sentences with links.

        A third answer is the fine-tuned model's: in a blind comparison it would tell how that one writes, and waits.
        """
        parts = self.parts
        names: tuple[Column | Place, Column | Place] = ("left", "right") if blind else VARIANTS
        heads: tuple[Column | Place, ...] = (*names, "with_sources")
        update: Update = {parts.ballot: gr.update(visible=False), parts.comparison: None, parts.after: ""}
        update |= {parts.latest: None, parts.stop: gr.update(interactive=False)}
        update |= {parts.following: gr.update(visible=False)}
        for card, name in zip((parts.left, parts.right, parts.third), heads, strict=True):
            update |= {
                card.who: who(name),
                card.answer: gr.update(value="", visible=card not in reading),
                card.linked: gr.update(value="", visible=card in reading),
                card.details: "",
            }
        return {**update, parts.sources: "", parts.third.frame: gr.update(visible=parts.third in reading and not blind)}


def _label(error: MedQAError) -> str:
    """What the button says after an error."""
    return AGAIN if error.may_pass else ASK


def _end(answers: Answers, *, blind: bool) -> State:
    """Where a question stands once its answers are whole and there is nothing to vote on."""
    if out_of_time(answers):
        return "unvotable in time" if blind else "out of time"
    return "unvotable" if blind else "ended"


def _shown(answers: Answers, cards: Mapping[Column, Card], *, blind: bool = False) -> Update:
    """The answers so far; of a blind comparison those that are voted on."""
    return {
        **{
            cards[column].linked: linked(answer, answers.sentences(column))
            for column, answer in answers.by_column.items()
            if column in answers.reading and not (blind and column == "with_sources")
        },
        **{
            cards[column].answer: answer.text
            for column, answer in answers.by_column.items()
            if column not in answers.reading
        },
    }


def _continued(run: str, conversation: Conversation | None) -> Conversation:
    """The conversation to go on with: a new one where there is none, or where it was with another run's models."""
    return conversation if conversation is not None and conversation.run == run else Conversation(run)


def _details(
    answers: Answers, cards: Mapping[Column, Card], overlaps: Mapping[Column, Overlap] | None = None
) -> Update:
    """The lines under the answers."""
    return {
        cards[column].details: meta(answer, (overlaps or {}).get(column))
        for column, answer in answers.by_column.items()
    }


def referred(text: str, with_sources: bool) -> dict[str, Any]:
    """The answer of the API to an emergency: the referral by its name, and where a program reads the answers."""
    columns: tuple[Column, ...] = (*VARIANTS, "with_sources") if with_sources else VARIANTS
    found: dict[str, Any] = {
        column: {"text": text, "finish_reason": "referred", "provenance": None} for column in columns
    }
    return {"referral": text, **found} | ({"passages": []} if with_sources else {})


def _named(request: gr.Request) -> str:
    """The run that the address names."""
    return str(request.query_params.get("run", ""))


def _visitor(request: gr.Request | None) -> str:
    if request is None or request.client is None:
        return ""
    lines = request.request.headers.getlist("x-forwarded-for") if request.request else []  # a proxy may add a line
    return visitor_address(request.client.host, ",".join(lines))
