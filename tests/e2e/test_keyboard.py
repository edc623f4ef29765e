"""The app without a mouse: a journey by the keyboard alone, on which the focus is always in sight."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.visits import PAGES, RUN, settled, visitor, widget

pytestmark = pytest.mark.e2e

FOCUSED = """() => {
    let at = document.activeElement;
    while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
    const seen = one => one.outlineStyle !== 'none' && parseFloat(one.outlineWidth) > 0 || one.boxShadow !== 'none';
    const around = [at, at.parentElement, at.parentElement?.parentElement, ...(at.labels?.[0]?.children ?? [])];
    return {
        tag: at.tagName, id: at.id, name: (at.ariaLabel || at.labels?.[0]?.innerText || at.innerText || '').trim(),
        visible: around.some(one => one && seen(getComputedStyle(one))),
    };
}"""
"""What has the focus, and whether a ring is drawn around it: on itself, on the frame of a field, on a tick's box."""


def focused(page: Page) -> dict[str, Any]:
    """What has the focus, in the page or in its widget."""
    found: dict[str, Any] = page.evaluate(FOCUSED)
    if found["tag"] == "IFRAME":
        found = widget(page).evaluate(FOCUSED)
    assert found["visible"], f"nobody sees that {found} has the focus"
    return found


def go(page: Page, key: str, name: str) -> None:
    """Press `key`, Tab or Shift+Tab, until what is called `name` has the focus."""
    passed = []
    for _step in range(60):
        page.keyboard.press(key)
        passed.append(focused(page)["name"])
        if passed[-1].startswith(name):
            return
    pytest.fail(f"{name} is not reached: {passed}")


def test_a_journey_without_a_mouse(browser: Browser, server: str) -> None:
    """From the home page to Ask and a referral, through the answers, and from the runs to one of them."""
    with visitor(browser, server, "light") as (page, wrong):
        page.goto(f"{server}/?run={RUN}")
        settled(page, PAGES["summary"])
        go(page, "Tab", "Ask")
        page.keyboard.press("Enter")
        settled(page, PAGES["ask"])
        widget(page)
        page.wait_for_timeout(1500)  # the field is there before the widget listens
        go(page, "Tab", "Your question")
        page.keyboard.type("He collapsed and is not breathing")
        page.keyboard.press("Enter")
        alert = page.frame_locator("iframe").get_by_role("alert")
        expect(alert).to_contain_text("Call your local emergency number now", timeout=60_000)
        go(page, "Shift+Tab", "Answers")
        page.keyboard.press("Enter")
        settled(page, PAGES["answers"])
        question = page.locator("article h2 a").first.inner_text()
        go(page, "Tab", question)
        page.keyboard.press("Enter")
        expect(page.get_by_text("Question 1 of")).to_be_visible(timeout=30_000)
        page.get_by_role("button", name="Next").wait_for()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_text("Question 2 of")).to_be_visible(timeout=30_000)
        settled(page, PAGES["answers"])  # what has the focus while the rest is drawn may be replaced under it
        go(page, "Tab", "Next")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Question 3 of")).to_be_visible(timeout=30_000)
        settled(page, PAGES["answers"])
        go(page, "Shift+Tab", "Runs")
        page.keyboard.press("Enter")
        settled(page, PAGES["runs"])
        go(page, "Tab", RUN)
        page.keyboard.press("Enter")
        settled(page, PAGES["summary"])
        assert f"run={RUN}" in page.url
        assert not wrong
