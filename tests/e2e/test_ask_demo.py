"""A public demo in a real browser: blind vote, sources, stop, self-test, and the way without the widget."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from medqa_core.foundation.settings import Settings
from medqa_core.models import embedded

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.real,
    pytest.mark.skipif(
        not embedded.is_ready(Settings.from_environment().cache), reason="the embedded model is not in the cache"
    ),
]
PATIENCE = 300_000
"""Milliseconds for an answer on a busy machine; nothing is timed here."""


def opened(browser: Browser, address: str, width: int = 1366, colors: str = "light") -> tuple[Page, FrameLocator]:
    """The Ask page and its widget, short answers chosen."""
    page = browser.new_page(viewport={"width": width, "height": 1200}, color_scheme=colors)  # type: ignore[arg-type]
    page.goto(f"{address}/ask?run=starter")
    widget = page.frame_locator("iframe")
    widget.get_by_role("button", name="Settings").click(timeout=PATIENCE)
    widget.get_by_label("number input for Longest answer").fill("24")
    widget.get_by_label("number input for Longest answer").press("Enter")
    widget.get_by_role("button", name="Settings").click()
    return page, widget


def test_a_blind_vote_hides_the_models_and_then_reveals_them(browser: Browser, demo: str, shots: Path) -> None:
    page, widget = opened(browser, demo)
    widget.get_by_role("button", name="A test question").click()
    expect(widget.locator("#question textarea")).not_to_have_value("", timeout=60_000)
    asked = widget.locator("#question textarea").input_value()
    widget.get_by_label("Blind").check()
    widget.get_by_label("With sources").check()
    widget.get_by_role("button", name="Ask both models").click()
    expect(widget.locator("#status")).to_contain_text("Your vote reveals", timeout=PATIENCE)
    expect(widget.locator("#third-who")).to_be_hidden()
    expect(widget.locator("#left-who")).to_have_text("Left answer")
    hidden = widget.locator("#left-meta").inner_text() + widget.locator("#right-meta").inner_text()
    assert "adapter" not in hidden and "model" not in hidden.lower()
    page.screenshot(path=shots / "ask-blind.png", full_page=True)
    widget.get_by_role("button", name="Right is better").click()
    expect(widget.locator("#status")).to_contain_text("Vote saved.", timeout=60_000)
    named = {widget.locator(f"#{place}-who").inner_text() for place in ("left", "right")}
    assert named == {"Base model", "Fine-tuned model"}
    expect(widget.locator("#left-meta")).to_contain_text("From the training set")
    expect(widget.locator("#vote")).to_be_hidden()
    expect(widget.locator("#third-linked .linked")).not_to_be_empty()
    expect(widget.locator("#after")).to_contain_text("Reference answer")
    expect(widget.locator("#after")).to_contain_text("This session: fine-tuned better")
    expect(widget.locator("#question textarea")).to_have_value(asked)
    expect(widget.locator("#next")).to_be_focused()
    page.screenshot(path=shots / "ask-voted.png", full_page=True)
    page.keyboard.press("Enter")
    expect(widget.locator("#question textarea")).not_to_have_value(asked, timeout=60_000)
    expect(widget.locator("#status")).to_contain_text("Your vote reveals", timeout=PATIENCE)
    expect(widget.locator("#next")).to_be_hidden()
    expect(widget.locator("#left-who")).to_have_text("Left answer")
    page.goto(f"{demo}/metrics?run=starter&tab=Preferences")
    expect(page.get_by_text("Which answer do people prefer?")).to_be_visible(timeout=60_000)
    expect(page.get_by_text(re.compile("1 decided vote"))).to_be_visible()
    page.close()


def test_a_third_answer_names_its_sources(browser: Browser, demo: str, shots: Path) -> None:
    for width, colors in ((1366, "light"), (390, "dark")):
        page, widget = opened(browser, demo, width, colors)
        widget.locator("#question textarea").fill("What are the symptoms of gout?")
        widget.get_by_label("With sources").check()
        widget.get_by_role("button", name="Ask both models").click()
        expect(widget.locator("#status")).to_contain_text("Done.", timeout=PATIENCE)
        expect(widget.locator("#third-linked .linked")).not_to_be_empty()
        expect(widget.locator("#sources")).to_contain_text("this run’s data set")
        expect(widget.locator(".sources li")).to_have_count(3)
        page.screenshot(path=shots / f"ask-sources-{width}.png", full_page=True)
        page.close()


def test_a_follow_up_continues_and_a_new_conversation_clears(browser: Browser, demo: str, shots: Path) -> None:
    page, widget = opened(browser, demo)
    question = widget.locator("#question textarea")
    expect(widget.locator("#follow")).to_be_hidden()
    question.fill("What are the symptoms of gout?")
    question.press("Enter")
    expect(widget.locator("#status")).to_contain_text("Done.", timeout=PATIENCE)
    widget.get_by_label("Follow-up").check()
    question.fill("How is it treated?")
    question.press("Enter")
    expect(widget.locator("#history")).to_contain_text("What are the symptoms of gout?", timeout=PATIENCE)
    expect(widget.locator("#status")).to_contain_text("Done.", timeout=PATIENCE)
    widget.locator("#left-meta summary").first.click()
    expect(widget.locator("#left-meta")).to_contain_text("earlier turns in the prompt: 1")
    page.screenshot(path=shots / "ask-follow-up.png", full_page=True)
    widget.get_by_role("button", name="New conversation").click()
    expect(widget.locator("#history .history")).to_have_count(0)
    expect(widget.locator("#follow")).to_be_hidden()
    expect(question).to_have_value("")
    page.close()


def test_stop_ends_the_answers_and_the_next_question_is_answered(browser: Browser, demo: str) -> None:
    page, widget = opened(browser, demo)
    widget.get_by_role("button", name="Settings").click()
    widget.get_by_label("number input for Longest answer").fill("192")
    widget.get_by_label("number input for Longest answer").press("Enter")
    widget.locator("#question textarea").fill("What causes glaucoma?")
    widget.get_by_role("button", name="Ask both models").click()
    expect(widget.locator("#left-answer textarea")).not_to_have_value("", timeout=PATIENCE)
    for _ in range(3):  # on a busy machine a press can fall between two drawings of the growing answers
        widget.get_by_role("button", name="Stop").click()
        with suppress(AssertionError):
            expect(widget.locator("#status")).to_contain_text("Stopped.", timeout=20_000)
            break
    expect(widget.locator("#status")).to_contain_text("Stopped.")
    page.wait_for_timeout(1000)
    expect(widget.locator("#status").get_by_text("Error", exact=True)).to_be_hidden()
    before = widget.locator("#left-answer textarea").input_value()
    page.wait_for_timeout(2000)
    assert widget.locator("#left-answer textarea").input_value() == before
    widget.get_by_label("number input for Longest answer").fill("16")
    widget.get_by_label("number input for Longest answer").press("Enter")
    widget.get_by_role("button", name="Ask both models").click()
    expect(widget.locator("#status")).to_contain_text("Done.", timeout=PATIENCE)
    page.close()


def test_the_self_test_verifies_which_model_answered(browser: Browser, demo: str, shots: Path) -> None:
    page, widget = opened(browser, demo)
    widget.get_by_role("button", name="Verify which model answered").click()
    widget.get_by_role("button", name="Compare the base answers").click()
    expect(widget.locator("#proof")).to_contain_text("bit for bit", timeout=PATIENCE)
    page.screenshot(path=shots / "ask-proof.png", full_page=True)
    page.close()


def test_a_public_demo_is_read_only_and_short(browser: Browser, demo: str) -> None:
    page, widget = opened(browser, demo)
    widget.get_by_role("button", name="Settings").click()
    assert widget.get_by_label("number input for Longest answer").get_attribute("max") == "192"
    page.goto(f"{demo}/fine_tune")
    expect(page.get_by_text("This is a read-only demo.")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="Start fine-tune")).to_have_count(0)
    page.close()


def test_where_the_widget_cannot_be_reached_streamlit_asks(browser: Browser, demo: str, shots: Path) -> None:
    page = browser.new_page(viewport={"width": 1366, "height": 1000})
    page.route(
        "**/qa/**", lambda route: route.fulfill(status=200, content_type="text/html", body="<p>another page</p>")
    )
    page.goto(f"{demo}/ask?run=starter")
    expect(page.get_by_text("cannot be reached from your browser")).to_be_visible(timeout=60_000)
    expect(page.locator("iframe")).to_have_count(0)
    page.get_by_label("Your question").fill("What is gout?")
    page.get_by_role("button", name="Ask both models").click()
    expect(page.get_by_text("ended by the model").or_(page.get_by_text("reached the token limit")).first).to_be_visible(
        timeout=PATIENCE
    )
    page.screenshot(path=shots / "ask-native.png", full_page=True)
    page.close()
