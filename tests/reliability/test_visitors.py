"""Fifty visitors at once on a public demo: nobody reads another's answer, nobody hangs, memory stays flat."""

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
from medqa_core.models.prompt import prompt_text
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


def ask(url: str, question: str, address: str) -> Told:
    start = time.monotonic()
    headers = {"X-Forwarded-For": address}
    with httpx.Client(base_url=f"{url}/gradio_api/call", headers=headers, timeout=PATIENCE) as http:
        accepted = http.post("/compare", json={"data": [question, "smoke", 0.0, 16, 1, "float32", False, 0]})
        if accepted.status_code != 200:
            return Told("refused", accepted.text, time.monotonic() - start)
        text = http.get(f"/compare/{accepted.json()['event_id']}").text
    name, data = text.strip().split("\n\n")[-1].split("\n", 1)
    value = json.loads(data.removeprefix("data: "))
    return Told(name.removeprefix("event: "), value, time.monotonic() - start)


def round_of_visitors(url: str, number: int) -> list[tuple[str, Told]]:
    questions = [f"Question {number} of visitor {visitor}: what is gout?" for visitor in range(VISITORS)]
    with ThreadPoolExecutor(VISITORS) as pool:
        told = pool.map(lambda v: ask(url, questions[v], f"203.0.{number}.{v}"), range(VISITORS))
    return list(zip(questions, told, strict=True))


def test_fifty_visitors_at_once(server: Server, lab: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    ask(server.url, "What is gout?", "203.0.113.1")
    memory = []
    tokenizer = load("toy", settings=lab).tokenizer
    answered = refused = 0
    slowest = 0.0
    for number in range(4):
        for question, told in round_of_visitors(server.url, number):
            slowest = max(slowest, told.seconds)
            if told.kind == "complete":
                answered += 1
                answers: dict[str, Any] = told.value[0]  # type: ignore[index]
                expected = sha256_text(prompt_text(tokenizer, question, "chat"))
                assert {one["provenance"]["prompt_sha256"] for one in answers.values()} == {expected}
            else:
                refused += 1
                assert "full" in str(told.value).lower(), told
        memory.append(server.process.memory_info().rss)
    assert answered >= 4 * 20, "a queue of 20 was not answered"
    assert slowest < PATIENCE
    assert memory[-1] - memory[0] < GROWTH, memory
    with capsys.disabled():
        sys.stdout.write(
            f"\n{VISITORS} visitors, 4 rounds: {answered} answered, {refused} told that the queue is full, slowest "
            f"{slowest:.1f} s, memory {memory[0] / 2**20:.0f} to {memory[-1] / 2**20:.0f} MiB\n"
        )


def test_the_eleventh_question_of_a_visitor_waits(server: Server) -> None:
    told = [ask(server.url, "What is gout?", "198.51.100.7") for _ in range(11)]
    assert [one.kind for one in told] == ["complete"] * 10 + ["error"]
    assert "ask again in" in str(told[-1].value)
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
