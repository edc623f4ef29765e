"""A question typed into the widget: two answers, streamed, each with what produced it."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from medqa_core.foundation.settings import Settings
from medqa_core.runs.store import RunStore, answerable

pytestmark = [pytest.mark.e2e, pytest.mark.real]

ABLE = [entry.id for entry in answerable(RunStore(Settings.from_environment().reports)) if entry.state == "completed"]


@pytest.mark.skipif(not ABLE, reason="no completed run with a model in the store")
def test_two_streamed_answers(browser: Browser, server: str, shots: Path) -> None:
    page = browser.new_page(viewport={"width": 1366, "height": 1200})
    page.goto(f"{server}/ask?run={ABLE[0]}")
    widget = page.frame_locator("iframe")
    widget.locator("#question textarea").fill("What are the symptoms of gout?", timeout=120_000)
    widget.get_by_role("button", name="Ask both models").click()
    base, tuned = (widget.locator(f"#{side}-answer textarea") for side in ("base", "tuned"))
    expect(base).not_to_have_value("", timeout=120_000)
    seen = {base.input_value()}
    for _ in range(60):
        page.wait_for_timeout(250)
        seen.add(base.input_value())
    expect(widget.get_by_text("Done.")).to_be_visible(timeout=300_000)
    assert len(seen) > 3, "the answer came in one piece"
    assert base.input_value() != tuned.input_value()
    assert len(base.input_value()) > 20 and len(tuned.input_value()) > 20
    page.screenshot(path=shots / "ask-answered.png")
    page.close()
