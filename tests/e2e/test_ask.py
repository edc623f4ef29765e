"""A question typed into the widget: two answers, streamed, each with what produced it."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from medqa_core.foundation.settings import Settings
from medqa_core.runs.store.run_store import RunStore, answerable

pytestmark = pytest.mark.e2e

ABLE = [entry.id for entry in answerable(RunStore(Settings.from_environment().reports)) if entry.state == "completed"]


needs_a_model = pytest.mark.skipif(not ABLE, reason="no completed run with a model in the store")
HIDDEN = "document.documentElement.scrollHeight - innerHeight"
"""How many pixels of the widget its frame hides."""


def hidden(page: Page) -> int:
    """The pixels of the widget that one has to scroll for inside its frame, once it has come to rest."""
    page.wait_for_timeout(1000)
    return int(next(frame for frame in page.frames if "/qa/" in frame.url).evaluate(HIDDEN))


@needs_a_model
@pytest.mark.parametrize("width", [1366, 390])
def test_the_frame_is_as_high_as_the_widget_and_the_note_is_there_once(
    width: int, browser: Browser, server: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 768})
    page.goto(f"{server}/ask?run={ABLE[0]}")
    widget = page.frame_locator("iframe")
    widget.locator("#question textarea").wait_for(timeout=120_000)
    assert hidden(page) == 0
    expect(page.get_by_text("A research demo")).to_be_visible()
    expect(widget.locator("#notice")).to_be_hidden()
    closed = page.locator("iframe").bounding_box()
    widget.get_by_role("button", name="Settings").click()
    assert hidden(page) == 0
    opened = page.locator("iframe").bounding_box()
    assert closed and opened and opened["height"] > closed["height"] + 50
    for alone in ("/qa/", "/qa/?embedded=1"):
        page.goto(server + alone)
        expect(page.get_by_text("A research demo")).to_be_visible()
    page.close()


@needs_a_model
def test_shift_enter_breaks_the_line_enter_sends_and_the_question_survives_a_change_of_run(
    browser: Browser, server: str
) -> None:
    """Without an answer: what Enter sends describes an emergency."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{server}/ask?run={ABLE[0]}")
    question = page.frame_locator("iframe").locator("#question textarea")
    question.fill("He collapsed", timeout=120_000)
    question.press("Shift+Enter")
    question.press_sequentially("and is not breathing")
    expect(question).to_have_value("He collapsed\nand is not breathing")
    expect(page.frame_locator("iframe").locator("#referral .referral")).to_have_count(0)
    page.get_by_test_id("stSidebar").get_by_role("combobox").click()
    page.get_by_role("option", selected=False).first.click()
    expect(page).not_to_have_url(f"{server}/ask?run={ABLE[0]}")
    expect(question).to_have_value("He collapsed\nand is not breathing", timeout=60_000)
    page.wait_for_timeout(2000)  # the text is there before the new widget listens
    question.press("Enter")
    expect(page.frame_locator("iframe").locator("#referral .referral")).to_have_count(1, timeout=60_000)
    page.close()


@needs_a_model
@pytest.mark.real
def test_two_streamed_answers(browser: Browser, server: str, shots: Path) -> None:
    page = browser.new_page(viewport={"width": 1366, "height": 1200})
    page.goto(f"{server}/ask?run={ABLE[-1]}")
    widget = page.frame_locator("iframe")
    widget.locator("#question textarea").fill("What are the symptoms of gout?", timeout=120_000)
    widget.get_by_role("button", name="Ask both models").click()
    base, tuned = (widget.locator(f"#{place}-answer textarea") for place in ("left", "right"))
    expect(base).not_to_have_value("", timeout=120_000)
    seen = {base.input_value()}
    for _ in range(60):
        page.wait_for_timeout(250)
        seen.add(base.input_value())
    expect(widget.get_by_text("Done.")).to_be_visible(timeout=300_000)
    assert len(seen) > 3, "the answer came in one piece"
    assert base.input_value() != tuned.input_value()
    assert len(base.input_value()) > 20 and len(tuned.input_value()) > 20
    assert hidden(page) == 0
    page.screenshot(path=shots / "ask-answered.png")
    page.close()


@needs_a_model
def test_an_emergency_is_referred_at_once(browser: Browser, server: str, shots: Path) -> None:
    looks: list[tuple[int, Literal["light", "dark"]]] = [(1366, "light"), (390, "dark")]
    for width, colors in looks:
        page = browser.new_page(viewport={"width": width, "height": 1000}, color_scheme=colors)
        page.goto(f"{server}/ask?run={ABLE[0]}")
        widget = page.frame_locator("iframe")
        widget.locator("#question textarea").fill(
            "My husband has crushing chest pain, which antacid helps?", timeout=120_000
        )
        widget.get_by_role("button", name="Ask both models").click()
        expect(widget.get_by_role("alert")).to_contain_text("Call your local emergency number now", timeout=120_000)
        expect(widget.locator("#status")).to_contain_text("No model was asked.")
        assert [widget.locator(f"#{place}-answer textarea").input_value() for place in ("left", "right")] == ["", ""]
        assert hidden(page) == 0
        page.screenshot(path=shots / f"ask-emergency-{width}.png")
        widget.locator("#question textarea").fill("What is gout?")
        widget.get_by_role("button", name="About this demo").click()
        expect(widget.get_by_text("questions written to test it")).to_be_visible()
        page.close()
