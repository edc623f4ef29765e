"""Visits to the app's pages in a browser: which pages and runs there are, and what went wrong on a page."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Frame, Page, expect

from medqa_core.foundation.settings import Settings
from medqa_core.runs.store.run_store import RunStore
from tests.support.browser import ENDED

PAGES = {
    "summary": "Did fine-tuning help?",
    "loss_curves": "How did training go?",
    "metrics": "How large is the difference?",
    "answers": "What does each model answer?",
    "data": "What is the model trained on?",
    "compare": "What differs between runs?",
    "runs": "Which runs are there?",
    "ask": "What do both models answer?",
    "fine_tune": "Fine-tune a model",
}
MODES = ("light", "dark", "phone")
RUNS = [entry.id for entry in RunStore(Settings.from_environment().reports).list() if entry.state != "unreadable"]
VISITED = [one for one in ("medquad-open-book", "starter", "run-2") if one in RUNS] or RUNS[:3]
"""A run of each kind: fine-tuned to read, fine-tuned to answer from its weights, imported."""
RUN = "starter" if "starter" in RUNS else RUNS[0]
"""Has a model to ask, and data that are read at once."""
PATIENCE = 60_000
"""Milliseconds; the first to look at MedQuAD's data waits for them to be read, on a busy machine for half a minute."""
DRAWN = (
    f"{ENDED} && "
    "!document.querySelector('[data-testid=stSkeleton]') && "
    "[...document.querySelectorAll('.stPlotlyChart')].every(chart => chart.querySelector('.main-svg'))"
)
"""The page's script has ended, and every chart is there and not only the place where it will be."""


@contextmanager
def visitor(browser: Browser, server: str, mode: str) -> Iterator[tuple[Page, list[str]]]:
    """A fresh page in one of the three modes, and what went wrong on it."""
    size = {"width": 390, "height": 844} if mode == "phone" else {"width": 1366, "height": 768}
    context = browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        color_scheme="dark" if mode == "dark" else "light",
        is_mobile=mode == "phone",
        has_touch=mode == "phone",
    )
    wrong: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(f"console: {message.text} {message.location['url']}")

    page = context.new_page()
    page.on("console", heard)
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("request", lambda r: None if _local(r.url, server) else wrong.append(f"fetched {r.url}"))
    try:
        yield page, wrong
    finally:
        context.close()


def _local(url: str, server: str) -> bool:
    return url.startswith((server, server.replace("http", "ws", 1), "data:", "blob:", "about:"))


def settled(page: Page, title: str) -> None:
    """Wait until the page has been drawn whole."""
    expect(page.locator("h1")).to_have_text([title], timeout=PATIENCE)  # for a moment there are two pages' headings
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=PATIENCE)
    page.wait_for_function(DRAWN, timeout=PATIENCE)
    page.wait_for_timeout(500)


def widget(page: Page) -> Frame:
    """The question widget, once it is there: the first request builds it."""
    page.frame_locator("iframe").locator("#question textarea").wait_for(timeout=120_000)
    (found,) = [frame for frame in page.frames if "/qa/" in frame.url]
    return found
