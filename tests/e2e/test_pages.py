"""Every page on a run of each kind, in a real browser: light, dark and on a phone."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from medqa_core.foundation.settings import Settings
from medqa_core.runs.store.run_store import RunStore, answerable
from tests.support.visits import MODES, PAGES, RUNS, VISITED, settled, visitor, widget

pytestmark = pytest.mark.e2e


SHIFTS = """
window.shifts = [];
new PerformanceObserver(list => window.shifts.push(...list.getEntries().map(shift => shift.value)))
    .observe({type: 'layout-shift', buffered: true});
"""
MOST_SHIFT = 0.1
"""Of the cumulative layout shift: what web.dev calls good."""


def overflow(page: Page) -> int:
    """How many pixels the page is wider than the screen."""
    return int(page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth"))


LOOKS = [*((VISITED[0], mode) for mode in MODES), *zip(VISITED[1:], ("dark", "phone"), strict=False)]
"""The first run in every mode, the others in one each: what they have and the first has not is no matter of width."""


@pytest.mark.parametrize(("run", "mode"), LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_page(name: str, run: str, mode: str, browser: Browser, server: str, shots: Path) -> None:
    """Drawn whole without an error, in a browser that has nothing of the app; nothing moves while it is drawn."""
    with visitor(browser, server, mode) as (page, wrong):
        page.add_init_script(SHIFTS)
        page.goto(f"{server}/{'' if name == 'summary' else name}?run={run}")
        settled(page, PAGES[name])
        if page.locator("iframe").count():
            widget(page)
            page.wait_for_timeout(500)
        shifts = page.evaluate("window.shifts")
        assert sum(shifts) < MOST_SHIFT, shifts
        page.screenshot(path=shots / f"{name}-{run}-{mode}.png")
        assert page.get_by_test_id("stException").count() == 0
        assert page.get_by_text("could not be drawn").count() == 0
        if mode == "phone":
            assert overflow(page) <= 0
        assert f"run={run}" in page.url
        assert not wrong


def test_nothing_moves_where_nothing_was_fetched(browser: Browser, bare: str) -> None:
    with visitor(browser, bare, "phone") as (page, wrong):
        page.add_init_script(SHIFTS)
        page.goto(f"{bare}/data?run={VISITED[0]}")
        settled(page, PAGES["data"])
        shifts = page.evaluate("window.shifts")
        assert sum(shifts) < MOST_SHIFT / 2, shifts  # were the figure's place kept for a notice: 0.08 and more
        assert not wrong


def test_run_stays_in_the_address_from_page_to_page_and_back(browser: Browser, server: str) -> None:
    if len(RUNS) < 2:
        pytest.skip("needs two runs in the store")
    with visitor(browser, server, "light") as (page, wrong):
        page.goto(f"{server}/?run={RUNS[0]}")
        settled(page, PAGES["summary"])
        page.get_by_test_id("stSidebar").get_by_role("combobox").click()
        page.get_by_role("option", name=RUNS[1]).click()  # title and id
        page.wait_for_url(f"**run={RUNS[1]}*")
        page.get_by_role("link", name="Metrics").click()
        settled(page, PAGES["metrics"])
        assert page.url == f"{server}/metrics?run={RUNS[1]}"
        page.go_back()
        settled(page, PAGES["summary"])
        assert f"run={RUNS[1]}" in page.url
        assert not wrong


def test_the_link_to_what_is_shown_is_copied(browser: Browser, server: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{server}/metrics?run={RUNS[0]}")
    settled(page, PAGES["metrics"])
    page.get_by_role("tab", name="MMLU").click()
    page.wait_for_url("**tab=MMLU*")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url == f"{server}/metrics?run={RUNS[0]}&tab=MMLU"
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    expect(page.get_by_role("button", name="Copy link")).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_label("Link to this page")).to_have_value(page.url)
    context.close()


def test_address_without_a_run_names_one(browser: Browser, server: str) -> None:
    with visitor(browser, server, "light") as (page, wrong):
        page.goto(server)
        settled(page, PAGES["summary"])
        assert "run=" in page.url
        assert not wrong


def test_unknown_run_is_said_in_words(browser: Browser, server: str) -> None:
    with visitor(browser, server, "light") as (page, wrong):
        page.goto(f"{server}/?run=nowhere")
        settled(page, PAGES["summary"])
        expect(page.get_by_text("No run called")).to_be_visible()
        assert not wrong


def test_switching_the_theme_turns_text_and_charts_at_once(browser: Browser, server: str) -> None:
    drawn = next((r for r in RUNS if _has_curve(r)), None)
    if drawn is None:
        pytest.skip("needs a run with a curve")
    with visitor(browser, server, "dark") as (page, wrong):
        page.goto(f"{server}/loss_curves?run={drawn}")
        settled(page, PAGES["loss_curves"])
        page.locator(".js-plotly-plot .xtick text").first.wait_for()
        look = "[getComputedStyle(document.querySelector('.js-plotly-plot .xtick text')).fill,"
        look += "getComputedStyle(document.querySelector('.mq-answer')).color]"
        assert page.evaluate(look) == ["rgb(154, 167, 181)", "rgb(232, 237, 242)"]
        page.get_by_test_id("stMainMenu").click()
        page.get_by_role("menuitemradio", name="Light").click()
        page.wait_for_timeout(800)
        assert page.evaluate(look) == ["rgb(91, 102, 117)", "rgb(27, 36, 48)"]
        assert not wrong


def test_everything_is_reached_by_keyboard(browser: Browser, server: str) -> None:
    with visitor(browser, server, "light") as (page, _):
        page.goto(f"{server}/?run={RUNS[0]}")
        settled(page, PAGES["summary"])
        page.get_by_text("Run information").first.wait_for()
        reached = set()
        for _step in range(80):
            page.keyboard.press("Tab")
            reached.add(
                page.evaluate("(document.activeElement.innerText || document.activeElement.ariaLabel || '').trim()")
            )
        assert {"Summary", "Loss curves", "Metrics", "Answers", "Compare runs", "Ask"} <= reached
        assert any("Text" in text for text in reached) and any("Run information" in text for text in reached)


def _has_curve(run: str) -> bool:
    return not RunStore(Settings.from_environment().reports).open(run).metrics_log().empty


def test_a_run_without_a_model_leads_to_one_that_has_one(browser: Browser, server: str) -> None:
    store = RunStore(Settings.from_environment().reports)
    able = answerable(store)
    unable = next((r for r in RUNS if r not in {entry.id for entry in able}), None)
    if not able or unable is None:
        pytest.skip("needs a run with a model and one without")
    with visitor(browser, server, "light") as (page, wrong):
        page.goto(f"{server}/ask?run={unable}")
        settled(page, PAGES["ask"])
        page.get_by_role("button", name=f"Ask {able[0].label}", exact=True).click()
        widget(page)
        assert page.url == f"{server}/ask?run={able[0].id}"
        assert not wrong
