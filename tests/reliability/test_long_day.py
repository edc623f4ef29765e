"""Eight hours in miniature: a thousand page refreshes, questions and questions that are left; nothing piles up."""

import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import psutil
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run

pytestmark = pytest.mark.reliability
ROOT = Path(__file__).parents[2]
PAGES = ("", "loss_curves", "metrics", "answers", "compare", "data", "fine_tune", "ask")
REFRESHES = int(os.environ.get("MEDQA_REFRESHES", "1000"))
ROUNDS = 20
QUESTIONS, LEFT = 20, 5
"""Asked in each round, and asked and left in each round."""
AT_ONCE = 4
PATIENCE = 120.0
MEMORY_SLOPE = 32.0
"""MiB that a thousand refreshes, with the questions between them, may add once the server is warm."""
FILES_SLOPE = 5.0
"""File descriptors that they may add."""


class Server(NamedTuple):
    port: int
    process: psutil.Process
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def server(lab: Settings, smoke: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The whole app, as a public demo."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ, "MEDQA_REPORTS": str(lab.reports), "MEDQA_CACHE": str(lab.cache), "MEDQA_PUBLIC": "1"
    }  # fmt: skip
    log = tmp_path_factory.mktemp("day") / "server.log"
    start = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with open(log, "wb") as out, subprocess.Popen(start, cwd=ROOT, env=environment, stdout=out, stderr=out) as process:
        running = Server(port, psutil.Process(process.pid), log)
        for _ in range(600):
            try:
                httpx.get(f"{running.url}/_stcore/health").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield running
        process.terminate()


def refresh(server: Server, page: str) -> int:
    """Open a page as a browser does, wait until it is whole, close the tab; the number of its elements."""
    address = f"ws://127.0.0.1:{server.port}/_stcore/stream"
    asked = BackMsg()
    asked.rerun_script.query_string = "run=smoke"
    asked.rerun_script.page_name = page
    elements = 0
    spoken, origin = [Subprotocol("streamlit")], Origin(server.url)
    with connect(address, subprotocols=spoken, origin=origin, max_size=None) as tab:
        tab.send(asked.SerializeToString())
        while True:
            message = ForwardMsg()
            message.ParseFromString(tab.recv(timeout=PATIENCE, decode=False))
            kind = message.WhichOneof("type")
            elements += kind == "delta"
            if kind == "script_finished":
                assert message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY, page
                return elements


def ask(server: Server, address: str, *, leave: bool) -> str | None:
    """Ask one question to its end, or leave after the first bytes; the last event's name."""
    data = ["What is gout?", "smoke", 0.0, 192 if leave else 8, 1, "float32", False, 0]
    headers = {"X-Forwarded-For": address}
    with httpx.Client(base_url=f"{server.url}/qa/gradio_api/call", headers=headers, timeout=PATIENCE) as http:
        event = http.post("/compare", json={"data": data}).raise_for_status().json()["event_id"]
        with http.stream("GET", f"/compare/{event}") as answer:
            if leave:
                next(answer.iter_bytes())
                return None
            return answer.read().decode().strip().split("\n\n")[-1].split("\n")[0].removeprefix("event: ")


def slope(values: list[float]) -> float:
    """What a thousand refreshes add, by least squares over the later half of the rounds."""
    later = values[len(values) // 2 :]
    return float(np.polyfit(np.arange(len(later)) * REFRESHES / ROUNDS / 1000, later, 1)[0])


def test_a_day_of_visitors_leaves_nothing_behind(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    addresses = (f"203.0.{high}.{low}" for high, low in itertools.product(range(250), range(1, 250)))
    pages = itertools.cycle(PAGES)
    ask(server, next(addresses), leave=False)
    memory, files, threads = [], [], []
    with ThreadPoolExecutor(AT_ONCE) as tabs:
        for _ in range(ROUNDS):
            asked = [next(pages) for _ in range(REFRESHES // ROUNDS)]
            counts = list(tabs.map(lambda page: refresh(server, page), asked))
            assert min(counts) > 3, "a page came without its content"
            for _ in range(QUESTIONS):
                assert ask(server, next(addresses), leave=False) == "complete"
            for _ in range(LEFT):
                ask(server, next(addresses), leave=True)
            memory.append(server.process.memory_info().rss / 2**20)
            files.append(float(server.process.num_fds()))
            threads.append(float(server.process.num_threads()))
    said = (
        f"\n{REFRESHES} refreshes, {ROUNDS * QUESTIONS} questions, {ROUNDS * LEFT} left: memory {memory[0]:.0f} to "
        f"{memory[-1]:.0f} MiB, slope {slope(memory):+.1f} MiB a thousand; file descriptors {files[0]:.0f} to "
        f"{files[-1]:.0f}, slope {slope(files):+.1f}; threads {threads[0]:.0f} to {threads[-1]:.0f}\n"
    )
    with capsys.disabled():
        sys.stdout.write(said)
    assert slope(memory) < MEMORY_SLOPE, memory
    assert slope(files) < FILES_SLOPE, files
    assert slope(threads) < FILES_SLOPE, threads
    assert "Traceback" not in server.log.read_text("utf-8", "replace")
