"""WCAG 2.2 AA by axe-core: every page, light and dark, on a laptop and on a phone, and what opens within a page.

And the tree that a screen reader reads: one first heading, the landmarks, a name for everything.
"""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FilePayload, Frame, Page, expect

from tests.support.visits import PAGES, RUN, settled, visitor, widget

pytestmark = pytest.mark.e2e

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OPTIONS: dict[str, Any] = {"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"], "iframes": False}
PATIENCE = 120_000
"""Milliseconds until the widget is built."""
NAMED = {
    *("button", "link", "textbox", "combobox", "checkbox", "radio", "slider", "spinbutton", "tab", "switch"),
    *("image", "img", "figure", "table", "Iframe", "radiogroup", "navigation"),
}
"""Roles that are nothing without a name."""
EMERGENCY = "My husband has crushing chest pain, which antacid helps?"
"""No model is needed for what is said to it."""


def violations(page: Page | Frame) -> list[str]:
    """What axe-core finds, one line for each rule with its first element."""
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [f"{one['impact']} {one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


def in_both_schemes(page: Page) -> list[str]:
    """The same of a page in light, and then in dark without loading it anew."""
    found = violations(page)
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(
            "of => getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme === of", arg=scheme
        )
        found += violations(page) if scheme == "dark" else []
    return found


def tree(page: Page, *, of_widget: bool = False) -> list[dict[str, Any]]:
    """The accessibility tree of the page or of its widget, without what it leaves out."""
    session, asked = page.context.new_cdp_session(page), {}
    if of_widget:
        (child,) = session.send("Page.getFrameTree")["frameTree"]["childFrames"]
        asked = {"frameId": child["frame"]["id"]}
    return [node for node in session.send("Accessibility.getFullAXTree", asked)["nodes"] if not node["ignored"]]


def value(node: dict[str, Any], key: str) -> str:
    return str(node.get(key, {}).get("value", ""))


def nameless(nodes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Roles without a name, and names that a screen reader would spell out."""
    named = [(value(node, "role"), value(node, "name").strip()) for node in nodes]
    return [(role, name) for role, name in named if role in NAMED and (not name or "\\" in name)]


def first_headings(nodes: list[dict[str, Any]]) -> list[str]:
    """The names of the headings of the first level."""
    return [
        value(node, "name")
        for node in nodes
        if value(node, "role") == "heading"
        and {"name": "level", "value": {"type": "integer", "value": 1}} in node["properties"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_and_everything_has_a_name(name: str, browser: Browser, server: str) -> None:
    for mode in ("light", "phone"):
        with visitor(browser, server, mode) as (page, _):
            page.goto(f"{server}/{name}?run={RUN}")
            settled(page, PAGES[name])
            nodes = tree(page)
            roles = [value(node, "role") for node in nodes]
            assert first_headings(nodes) == [PAGES[name]]
            assert {"banner", "main", *(["navigation"] if mode == "light" else [])} <= set(roles)
            assert nameless(nodes) == []
            assert in_both_schemes(page) == []
            if page.locator("iframe").count():
                assert violations(widget(page)) == []


def upload(page: Page) -> list[str]:
    settled(page, PAGES["fine_tune"])
    page.get_by_text("Bring your own data", exact=True).click()
    table = "question,answer\n" + "".join(f"What is ill {n}?,Ill {n} is bad.\n" for n in range(60))
    page.locator("input[type=file]").first.set_input_files(
        FilePayload(name="a.csv", mimeType="", buffer=table.encode())
    )
    page.get_by_text("The first 10 of 60 usable pairs").first.wait_for()
    return in_both_schemes(page)


def ticked_run(page: Page) -> list[str]:
    settled(page, PAGES["runs"])
    page.locator("[class*=st-key-run-row-] label").first.click()
    page.get_by_text("1 run ticked.").wait_for()
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("button", name="Save").wait_for()
    found = in_both_schemes(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Keep").wait_for()
    return found + in_both_schemes(page)


def referral(page: Page) -> list[str]:
    page.emulate_media(color_scheme="dark")
    page.reload()
    frame = widget(page)
    page.wait_for_timeout(2000)  # the field is there before the widget listens
    frame.locator("#question textarea").fill(EMERGENCY)
    frame.locator("#question textarea").press("Enter")
    expect(frame.get_by_role("alert")).to_be_visible(timeout=PATIENCE)
    frame.get_by_role("button", name="Settings").click()
    nodes = tree(page, of_widget=True)
    roles = [value(node, "role") for node in nodes]
    assert nameless(nodes) == [] and "alert" in roles
    assert frame.locator("#status").get_attribute("role") == "status" and "status" in roles
    return violations(frame)


LOOKS: dict[str, Callable[[Page], list[str]]] = {
    "fine_tune": upload,
    "runs": ticked_run,
    "ask?run=starter": referral,
}
"""What opens within a page, by the page's address."""


@pytest.mark.parametrize("address", LOOKS)
def test_nor_in_what_opens_within_a_page(address: str, browser: Browser, server: str) -> None:
    with visitor(browser, server, "light") as (page, _):
        page.goto(f"{server}/{address}")
        assert LOOKS[address](page) == []


def test_the_drawer_of_a_phone_closes_when_a_page_is_chosen(browser: Browser, server: str) -> None:
    with visitor(browser, server, "phone") as (page, _):
        page.goto(f"{server}/?run={RUN}")
        settled(page, PAGES["summary"])
        page.get_by_test_id("stExpandSidebarButton").click()
        page.get_by_role("link", name="Metrics").click()
        settled(page, PAGES["metrics"])
        page.get_by_test_id("stExpandSidebarButton").wait_for(timeout=10_000)
