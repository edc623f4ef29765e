"""The widget over its real API: a server process on a free port of this machine, asked over plain HTTP."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run

ROOT = Path(__file__).parents[3]
SERVE = "import sys, uvicorn; from pages.ask.widget import build; uvicorn.run(build(), port=int(sys.argv[1]))"

Ask = Callable[..., list[tuple[str, Any]]]


@pytest.fixture(scope="module")
def server(lab: Settings, smoke: Run) -> Iterator[str]:
    """The widget's address. A process of its own: gradio leaves sockets open that would fail other tests."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "MEDQA_REPORTS": str(lab.reports), "MEDQA_CACHE": str(lab.cache)}
    with subprocess.Popen([sys.executable, "-c", SERVE, str(port)], cwd=ROOT, env=environment) as process:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 180
        while not _answers(url) and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.1)
        yield url
        process.terminate()


@pytest.fixture
def ask(server: str) -> Ask:
    """Ask the API: the events that come back, each with its name and value."""

    def go(question: str, run: str = "", temperature: float = 0.3, tokens: int = 8, seed: int = 42,
           precision: str = "float32", sources: bool | None = False, repeats: int = 0) -> Any:  # fmt: skip
        values = {"data": [question, run, temperature, tokens, seed, precision, sources, repeats]}
        with httpx.Client(base_url=f"{server}/gradio_api/call", timeout=60) as http:
            number = http.post("/compare", json=values).json()["event_id"]
            text = http.get(f"/compare/{number}").text
        blocks = [block.split("\n", 1) for block in text.strip().split("\n\n")]
        return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]

    return go


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def test_the_note_stands_on_the_widget_itself_and_gives_way_only_where_it_is_embedded(server: str) -> None:
    from pages.ask.look import CSS
    from pages.ask.text import NOTICE

    page = httpx.get(server, timeout=30).text
    assert "Not medical advice" in NOTICE and "Not medical advice" in page
    assert "a.cite" in page, "links to passages do not leave the page"
    assert "window.frameElement" in page and ".embedded #notice { display: none" in CSS


def test_how_a_question_is_sent_is_said_and_the_examples_stand_above_the_answers(server: str) -> None:
    config = httpx.get(f"{server}/config", timeout=30).json()
    drawn: list[int] = []
    rest = [config["layout"]]
    while rest:
        one = rest.pop()
        drawn += [one["id"]] if "id" in one else []
        rest += reversed(one.get("children") or [])
    components = {one["id"]: one for one in config["components"]}
    parts = [components[number] for number in drawn if number in components]
    named = [part["props"].get("elem_id") for part in parts]
    question = parts[named.index("question")]["props"]
    assert question["info"] == "Enter sends it, Shift+Enter begins a new line"
    examples = next(place for place, part in enumerate(parts) if part["type"] == "dataset")
    assert named.index("question") < examples < named.index("left-answer")


def test_stop_waits_in_no_line_with_questions(server: str) -> None:
    config = httpx.get(f"{server}/config", timeout=30).json()
    stop = next(one["id"] for one in config["components"] if one["props"].get("elem_id") == "stop")
    pressed = [one for one in config["dependencies"] if [stop, "click"] in one["targets"]]
    assert not any(one["queue"] for one in pressed) and sum(len(one["cancels"]) for one in pressed) == 2
    ids = [one["id"] for one in pressed]
    said = [one for one in config["dependencies"] if one["trigger_after"] in ids and one["backend_fn"]]
    assert [one["queue"] for one in said] == [True], "behind what the cancelled answers still had under way"


def test_only_compare_is_public(server: str) -> None:
    endpoints = httpx.get(f"{server}/gradio_api/info", timeout=30).json()["named_endpoints"]
    assert list(endpoints) == ["/compare"]


def test_both_answers_stream_and_say_what_made_them(ask: Ask, smoke: Run) -> None:
    events = ask("What are the symptoms of gout?", smoke.id, 0.0, 12, 7)
    assert [name for name, _ in events].count("generating") > 1, "nothing was streamed"
    name, (answers,) = events[-1]
    base, tuned = answers["base"], answers["fine_tuned"]
    assert smoke.record.base_model is not None and name == "complete"
    assert base["provenance"]["adapter_sha256"] is None
    assert len(tuned["provenance"]["adapter_sha256"]) == 64
    assert base["provenance"]["base_sha256"] == tuned["provenance"]["base_sha256"] == smoke.record.base_model.sha256
    assert (base["provenance"]["seed"], tuned["provenance"]["max_new_tokens"]) == (7, 12)
    assert 0 < base["tokens"] <= 12
    assert {answer["finish_reason"] for answer in (base, tuned)} <= {"stop", "length"}


def test_a_run_with_a_model_is_asked_by_default(ask: Ask, smoke: Run) -> None:
    answers = ask("What is gout?", tokens=2)[-1][1][0]
    assert answers["base"]["provenance"]["run_id"]


@pytest.mark.parametrize(
    ("question", "said"),
    [("", "is empty"), ("x" * 100_000, "100,000 characters"), ("???", "no letter"), ("\u202e\u0000", "is empty")],
)
def test_a_bad_question_is_refused_by_the_core(ask: Ask, question: str, said: str) -> None:
    ((name, error),) = [event for event in ask(question) if event[0] != "heartbeat"]
    assert name == "error" and said in str(error)


def test_an_emergency_gets_the_referral_in_place_of_both_answers(ask: Ask) -> None:
    name, (answers,) = ask("My father collapsed and is not breathing")[-1]
    assert name == "complete" and list(answers) == ["referral", "base", "fine_tuned"]
    assert "112" in answers["referral"] and answers["base"]["text"] == answers["referral"]
    assert answers["fine_tuned"]["finish_reason"] == "referred" and answers["fine_tuned"]["provenance"] is None


def test_a_question_in_another_language_brings_the_emergency_number(ask: Ask) -> None:
    name, (answers,) = ask("Какие симптомы подагры?")[-1]
    assert name == "complete" and "112 in Europe" in answers["notice"] and "text" in answers["base"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"run": "../../etc"}, "not valid"),
        ({"run": "nobody"}, "No run called"),
        ({"tokens": 100_000}, "max_new_tokens"),
        ({"temperature": -1}, "temperature"),
        ({"repeats": 11}, "no_repeat_ngram"),
    ],
)
def test_bad_settings_are_refused_by_the_core(ask: Ask, settings: dict[str, Any], said: str) -> None:
    name, error = ask("What is gout?", **settings)[-1]
    assert name == "error" and said in str(error)


def test_a_third_answer_comes_with_the_passages_that_it_read(ask: Ask, smoke: Run) -> None:
    name, (answers,) = ask("What are the symptoms of gout?", smoke.id, 0.0, 4, 1, precision="float32", sources=True)[-1]
    assert name == "complete" and answers["with_sources"]["provenance"]["variant"] == "with_sources"
    assert 1 <= len(answers["passages"]) <= 3
    assert {"text", "question", "source", "url", "page"} <= set(answers["passages"][0])
    assert answers["searched"]["kind"] == "data set" and 0 < answers["searched"]["match"] <= 1
    assert {"text", "passage", "share"} == set(answers["with_sources"]["sentences"][0])
    hashes = {answers[column]["provenance"]["prompt_sha256"] for column in ("base", "fine_tuned", "with_sources")}
    assert len(hashes) == 2, "the third prompt holds the passages, the others are one"


def test_int8_is_answered_and_said(ask: Ask, smoke: Run) -> None:
    answers = ask("What is gout?", smoke.id, 0.0, 4, 1, precision="int8", sources=False)[-1][1][0]
    assert answers["base"]["provenance"]["precision"] == "int8" and "int8" in answers["base"]["provenance"]["engine"]
    name, error = ask("What is gout?", smoke.id, 0.0, 4, 1, precision="int1", sources=False)[-1]
    assert name == "error" and "precision" in str(error)


def test_what_is_said_of_the_demo_and_in_an_emergency() -> None:
    from medqa_core.answering.emergency.quality import Rate, ScreenQuality
    from pages.ask.text import about, referral

    assert 'role="alert"' in referral() and "112 in Europe" in referral()
    screen = ScreenQuality(recall=Rate(9, 10), false_alarms=Rate(1, 20))
    said = about(screen, {"en": screen, "zh": screen})
    assert "found by language: 9 of 10 in English and 9 of 10 in Chinese" in said
    assert "On 30 questions written to test it" in said
    assert "found 90.0% (9 of 10; 95% interval 59.6% to 98.2%) of the emergencies" in said


def test_the_line_under_an_answer_is_escaped() -> None:
    from medqa_core.answering.compare import Answer
    from medqa_core.answering.training_set import Overlap
    from medqa_core.data.overlap import Span
    from pages.ask.text import meta, status
    from tests.support.answers import provenance

    hostile = "<img src=x onerror=alert(1)>"
    made = provenance(run_id=hostile, model=hostile, engine=hostile)
    line = meta(Answer("text", 3, 1.5, "stop", made))
    assert "<img" not in line and "&lt;img" in line and "no adapter" in line
    assert "adapter 11111111" in meta(
        Answer("text", 3, 1.5, "length", replace(made, variant="fine_tuned", adapter_sha256="1" * 64))
    )
    spans = (Span(hostile, "copied", "q1"), Span(hostile, "novel", None))
    marked = meta(Answer("text", 3, 1.5, "stop", made), Overlap(spans, hostile))
    assert "<img" not in marked and "50% copied" in marked and "Nearest training question: &lt;img" in marked
    assert "<img" not in status(hostile, bad=True)


def test_what_a_voter_is_told() -> None:
    from medqa_core.evaluation.blind import VoteResult
    from pages.ask.text import voted

    told = voted(VoteResult("fine_tuned", "base", None))
    assert told == "Vote saved. Left: fine-tuned model. Right: base model."
    scored = voted(VoteResult("base", "fine_tuned", {"base": 0.1, "fine_tuned": 0.25}))
    assert scored.endswith(" ROUGE-L on this test question: base model 0.1000, fine-tuned model 0.2500.")
