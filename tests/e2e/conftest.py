"""The app as a server process, and a real browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.browser import ARGUMENTS, ROOT, Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`streamlit run app.py` from a folder that is not the repository's; its address."""
    with _serving(tmp_path_factory.mktemp("elsewhere"), {}) as address:
        yield address


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same as a public demo, on a copy of the starter run that votes may be written to."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(ROOT / "reports" / "starter", folder / "reports" / "starter")
    with _serving(folder, {"MEDQA_PUBLIC": "1", "MEDQA_REPORTS": str(folder / "reports")}) as address:
        yield address


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app as it is before anything was fetched: no model and no tokenizer."""
    folder = tmp_path_factory.mktemp("bare")
    with _serving(folder, {"MEDQA_CACHE": str(folder / "cache")}) as address:
        yield address


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A server on a store of its own; no worker of it outlives the test."""
    server = Server(tmp_path)
    server.start()
    yield server
    server.kill()
    for entry in server.store.list():
        status = server.store.open(entry.id).status()
        if status and status.process and status.process.is_alive():
            psutil.Process(status.process.pid).kill()
    assert "Traceback" not in (tmp_path / "server.log").read_text(encoding="utf-8", errors="replace")


@contextmanager
def _serving(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """A server until the block ends; its log must be clean."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)]
    log = folder / "server.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
    address = f"http://localhost:{port}"
    try:
        _wait(f"{address}/_stcore/health", process)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(20)  # with tabs open, their streams too: a server that waits for them would stay
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail("the server did not end when it was told to")
    text = log.read_text(encoding="utf-8", errors="replace")
    assert "Traceback" not in text and "deprecat" not in text.lower() and "Warning" not in text, text[-3000:]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium: Debian's where it is there, else the one that playwright installed."""
    expect.set_options(timeout=15_000)  # of a page on a machine that runs two browsers; nothing is timed here
    system = shutil.which("chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=system, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: `MEDQA_SHOTS`, else a temporary folder."""
    folder = Path(os.environ.get("MEDQA_SHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _wait(address: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(240):
        assert process.poll() is None, "the server ended while starting"
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.25)
    pytest.fail("the server did not start within a minute")
