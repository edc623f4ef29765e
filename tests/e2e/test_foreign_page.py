"""What a page of a stranger can do to the app in a real browser: not frame it, not ask it. And the app calls nobody."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.loopback import Handler, listening

pytestmark = pytest.mark.e2e
PAGES = ("summary", "loss_curves", "metrics", "answers", "data", "compare", "runs", "ask", "fine_tune", "qa/")
ASK = """
async ([app, path]) => {
  const asked = {
    method: "POST",
    body: JSON.stringify({data: ["What is gout?", "", 0, 4, 1, "float32", false]}),
    headers: {"Content-Type": "text/plain"},  // which a browser sends without asking first
  };
  const ended = (done) => done.then((answer) => "read " + answer.status, () => "failed");
  return [await ended(fetch(app + path, {...asked, mode: "no-cors"})), await ended(fetch(app + path, asked))];
}
"""


class Stranger(Handler):
    """Another site: one page, which frames the app named in its address."""

    def answer(self) -> None:
        app = self.path.partition("?app=")[2]
        page = f'<h1>Stranger</h1><iframe name="app" src="{app}"></iframe>'.encode()
        self.send_head(200, page, {"Content-Type": "text/html"})
        self.wfile.write(page)


@pytest.fixture(scope="module")
def stranger() -> Iterator[str]:
    """The other site's address: another origin to a browser, since the port is another one."""
    with listening(Stranger) as server:
        yield server.address


@pytest.mark.parametrize("path", ["/", "/qa/"])
def test_the_app_is_not_shown_in_a_strangers_frame(path: str, browser: Browser, server: str, stranger: str) -> None:
    page = browser.new_page()
    _, said = watch(page)
    page.goto(f"{stranger}/?app={server}{path}", wait_until="domcontentloaded")
    for _ in range(240):  # the first to ask for the widget waits until it is built
        if any("frame-ancestors" in text for text in said):
            break
        page.wait_for_timeout(500)
    assert any("frame-ancestors" in text for text in said), said
    shown: list[str] = []
    for _ in range(60):  # the error page takes the frame's place a moment after it is said
        shown = [frame.url for frame in page.frames if frame != page.main_frame]
        if any(url.startswith("chrome-error:") for url in shown):
            break
        page.wait_for_timeout(250)
    assert shown and all(url.startswith("chrome-error:") for url in shown), shown
    assert "Stranger" in page.content()
    page.close()


def test_a_strangers_page_asks_nothing(browser: Browser, server: str, stranger: str) -> None:
    page = browser.new_page()
    page.goto(stranger)
    answers: list[int] = []
    page.on("response", lambda answer: answers.append(answer.status) if "/qa/" in answer.url else None)
    for path in ("/qa/gradio_api/call/compare", "/qa/gradio_api/queue/join", "/qa/gradio_api/run/predict"):
        assert page.evaluate(ASK, [server, path]) == ["read 0", "failed"], "an answer that the page cannot look into"
    assert answers and set(answers) == {403}
    page.close()


def test_no_page_of_the_app_calls_another_host(browser: Browser, server: str) -> None:
    page = browser.new_page()
    asked, said = watch(page)
    for path in PAGES:
        page.goto(f"{server}/{path}")
        expect(page.locator("h1, #question").first).to_be_visible(timeout=120_000)
        page.wait_for_timeout(1500)
    assert {
        url for url in asked if not url.startswith((server, server.replace("http", "ws"), "data:", "blob:"))
    } == set()
    assert not [text for text in said if "Content Security Policy" in text], said
    page.close()


def watch(page: Page) -> tuple[list[str], list[str]]:
    """What the page asks for, and what its console says."""
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.on("console", lambda message: said.append(message.text))
    return asked, said
