"""WCAG 2.2 AA by axe-core: every page, light and dark, on a laptop and on a phone, and the question widget."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Frame, Page

from tests.support.visits import MODES, PAGES, RUNS, settled, visitor

pytestmark = pytest.mark.e2e

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OPTIONS: dict[str, Any] = {"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"], "iframes": False}


def violations(page: Page | Frame) -> list[str]:
    """What axe-core finds, one line for each rule with its first element."""
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [f"{one['impact']} {one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(name: str, mode: str, browser: Browser, server: str) -> None:
    with visitor(browser, server, mode) as (page, _):
        page.goto(f"{server}/{name}?run={RUNS[0]}")
        settled(page, PAGES[name])
        assert page.locator("h1").count() == 1
        assert violations(page) == []
        if page.locator("iframe").count():
            page.frame_locator("iframe").locator("textarea").first.wait_for(timeout=120_000)
            (widget,) = [frame for frame in page.frames if "/qa/" in frame.url]
            assert violations(widget) == []


def test_the_drawer_of_a_phone_closes_when_a_page_is_chosen(browser: Browser, server: str) -> None:
    with visitor(browser, server, "phone") as (page, _):
        page.goto(f"{server}/?run={RUNS[0]}")
        settled(page, PAGES["summary"])
        page.get_by_test_id("stExpandSidebarButton").click()
        page.get_by_role("link", name="Metrics").click()
        settled(page, PAGES["metrics"])
        page.get_by_test_id("stExpandSidebarButton").wait_for(timeout=10_000)
