"""The app in a real browser: a server to be killed and started again, and its Fine-tune form."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from medqa_core.runs.store.run_store import RunStore

ROOT = Path(__file__).parents[2]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
"""Of chromium."""
ENDED = "document.querySelector('[data-testid=stApp][data-test-script-state=notRunning]')"
"""The page's script has ended."""
PATIENCE = 60_000
"""Milliseconds that a page may take to show something."""


class Server:
    """`streamlit run app.py` on a store of its own, to be killed and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.store = RunStore(folder / "reports")
        self.address = f"http://localhost:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(self.port)]
        names = {"MEDQA_REPORTS": self.store.folder, "MEDQA_CACHE": self.folder / "cache", "OMP_NUM_THREADS": 1}
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **{name: str(value) for name, value in names.items()}},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for _ in range(240):
            try:
                with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.25)
        pytest.fail("the server did not start within a minute")

    def kill(self) -> None:
        """Kill the server and everything in its process group, as a closed terminal does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def form(browser: Browser, server: Server, *, epochs: int) -> Page:
    """A tab of its own with the `smoke` preset in the form."""
    page = browser.new_context(viewport={"width": 1366, "height": 900}).new_page()
    page.goto(f"{server.address}/fine_tune")
    choose(page, "Start from", "smoke")
    expect(page.get_by_label("Title", exact=True).first).to_have_value("Smoke test", timeout=PATIENCE)
    fill(page, "Epochs", str(epochs))
    expect(page.locator("code", has_text=f"epochs={epochs}.0")).to_be_visible(timeout=PATIENCE)
    return page


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).click(timeout=PATIENCE)
    page.get_by_role("option", name=option, exact=True).click()


def fill(page: Page, label: str, text: str) -> None:
    expect(page.locator("code", has_text="--preset smoke")).to_be_visible(timeout=PATIENCE)
    page.get_by_label(label, exact=True).first.fill(text)  # no Enter, no other field: it is taken while typing


def drawn(page: Page) -> None:
    """Wait until the page's script has ended: until then a button may be replaced, or stand there twice."""
    page.wait_for_function(ENDED, timeout=PATIENCE)


def press(page: Page, label: str) -> None:
    drawn(page)
    page.get_by_role("button", name=label, exact=True).click(timeout=PATIENCE)
