"""Fifty visitors at once on a public demo, half of them with sources on: nobody reads another's answer or passages,
nobody hangs, whoever waits is told the place in the queue, and memory stays flat."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
import pytest

from medqa_core.foundation.files import sha256_text
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.prompt import prompt_text, with_passages
from medqa_core.runs.run import Run

pytestmark = pytest.mark.reliability
ROOT = Path(__file__).parents[2]
SERVE = "import sys, uvicorn; from pages.ask.widget import build; uvicorn.run(build(), port=int(sys.argv[1]))"
VISITORS = 50
PATIENCE = 120.0
"""Seconds after which a visitor counts as hanging."""
GROWTH = 64 * 2**20
"""Bytes that a round of visitors may leave behind, once the server is warm."""


class Server(NamedTuple):
    url: str
    process: psutil.Process


@pytest.fixture(scope="module")
def server(lab: Settings, smoke: Run) -> Iterator[Server]:
    """The widget alone, as a public demo."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ, "MEDQA_REPORTS": str(lab.reports), "MEDQA_CACHE": str(lab.cache), "MEDQA_PUBLIC": "1"
    }  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", SERVE, str(port)], cwd=ROOT, env=environment) as process:
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                httpx.get(url)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield Server(url, psutil.Process(process.pid))
        process.terminate()


class Told(NamedTuple):
    """What one visitor was told at the end, and after how many seconds."""

    kind: str
    value: object
    seconds: float


def ask(url: str, question: str, address: str, sources: bool = False) -> Told:
    start = time.monotonic()
    headers = {"X-Forwarded-For": address}
    with httpx.Client(base_url=f"{url}/gradio_api/call", headers=headers, timeout=PATIENCE) as http:
        accepted = http.post("/compare", json={"data": [question, "smoke", 0.0, 16, 1, "float32", sources, 0]})
        if accepted.status_code != 200:
            return Told("refused", accepted.text, time.monotonic() - start)
        text = http.get(f"/compare/{accepted.json()['event_id']}").text
    name, data = text.strip().split("\n\n")[-1].split("\n", 1)
    value = json.loads(data.removeprefix("data: "))
    return Told(name.removeprefix("event: "), value, time.monotonic() - start)


def round_of_visitors(url: str, number: int) -> list[tuple[str, Told]]:
    # All different, and all of the same words, so that passages are found for each.
    questions = [f"What are the symptoms of gout{'?' * (visitor + 1)}{'!' * number}" for visitor in range(VISITORS)]
    with ThreadPoolExecutor(VISITORS) as pool:
        told = pool.map(lambda v: ask(url, questions[v], f"203.0.{number}.{v}", v % 2 == 1), range(VISITORS))
    return list(zip(questions, told, strict=True))


def check_own(answers: dict[str, Any], question: str, tokenizer: Any) -> bool:
    """Whether passages were read; fails where an answer was made from another question or from other passages."""
    read = "passages" in answers
    texts = [passage["text"] for passage in answers.get("passages", ())]
    for column in ("base", "fine_tuned", *(["with_sources"] if read else [])):
        asked = with_passages(question, texts) if column == "with_sources" else question
        expected = sha256_text(prompt_text(tokenizer, asked, "chat"))
        assert answers[column]["provenance"]["prompt_sha256"] == expected, column
    return bool(texts)


def test_fifty_visitors_at_once(server: Server, lab: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    for sources in (False, True):
        ask(server.url, "What is gout?", "203.0.113.1", sources)
    memory, read = [], 0
    tokenizer = load("toy", settings=lab).tokenizer
    answered = refused = 0
    slowest = 0.0
    for number in range(4):
        for question, told in round_of_visitors(server.url, number):
            slowest = max(slowest, told.seconds)
            if told.kind == "complete":
                answered += 1
                read += check_own(told.value[0], question, tokenizer)  # type: ignore[index]
            else:
                refused += 1
                assert "full" in str(told.value).lower(), told
        memory.append(server.process.memory_info().rss)
    assert answered >= 4 * 20, "a queue of 20 was not answered"
    assert slowest < PATIENCE and 0 < read < answered
    assert memory[-1] - memory[0] < GROWTH, memory
    with capsys.disabled():
        sys.stdout.write(
            f"\n{VISITORS} visitors, 4 rounds: {answered} answered, {read} of them from passages, {refused} told that "
            f"the queue is full, slowest {slowest:.1f} s, "
            f"memory {memory[0] / 2**20:.0f} to {memory[-1] / 2**20:.0f} MiB\n"
        )


def places(url: str, session: str, number: int) -> list[int]:
    """The places in the queue that a visitor of the page is told, in turn, until the answer is there."""
    asked = {"data": [f"Visitor {session}?", "smoke", 0.0, 64, 1, "float32", False, 0], "fn_index": number}
    with httpx.Client(base_url=f"{url}/gradio_api/queue", timeout=PATIENCE) as http:
        http.post("/join", json={**asked, "session_hash": session}, headers={"X-Forwarded-For": "198.51.100.20"})
        told = []
        with http.stream("GET", "/data", params={"session_hash": session}) as events:
            for line in events.iter_lines():
                said = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if said.get("msg") == "estimation":
                    told.append(int(said["rank"]))
                if said.get("msg") in ("process_completed", "close_stream"):
                    return told
    return told


def test_a_visitor_who_waits_is_told_the_place(server: Server) -> None:
    known = httpx.get(f"{server.url}/config", timeout=PATIENCE).json()["dependencies"]
    number = next(one["id"] for one in known if one.get("api_name") == "compare")
    with ThreadPoolExecutor(5) as pool:
        told = list(pool.map(lambda session: places(server.url, f"waiting{session}", number), range(5)))
    assert max(place for one in told for place in one) >= 2, told
    assert all(one == sorted(one, reverse=True) for one in told), "a place never gets worse"


def test_the_eleventh_question_of_a_visitor_waits(server: Server) -> None:
    told = [ask(server.url, "What is gout?", "198.51.100.7") for _ in range(11)]
    assert [one.kind for one in told] == ["complete"] * 10 + ["error"]
    assert "again in" in str(told[-1].value)
    assert ask(server.url, "What is gout?", "198.51.100.8").kind == "complete", "another visitor is not held up"


def test_a_visitor_who_leaves_stops_the_models(server: Server) -> None:
    """The stream is cut after its first bytes; the next visitor is served at once and the server comes to rest."""
    with httpx.Client(base_url=f"{server.url}/gradio_api/call", timeout=PATIENCE) as http:
        event = http.post(
            "/compare", json={"data": ["What is gout?", "smoke", 0.0, 192, 1, "float32", False, 0]}
        ).json()["event_id"]
        with http.stream("GET", f"/compare/{event}") as answer:
            next(answer.iter_bytes())
    assert ask(server.url, "What is asthma?", "198.51.100.9").kind == "complete"
    time.sleep(1)
    server.process.cpu_percent()
    time.sleep(2)
    assert server.process.cpu_percent() < 50, "something still computes for nobody"
