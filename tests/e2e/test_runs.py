"""The Runs page: somebody's model becomes a run with a verdict, and runs are renamed, archived, deleted, restored."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from medqa_core.foundation.settings import Settings
from medqa_core.report.wording.verdict import sentence
from tests.support.browser import PATIENCE, Server, drawn, press
from tests.support.foreign_models import ASKED, LEARNT, full_model, rows, toy_folder
from tests.support.visits import PAGES, settled

pytestmark = pytest.mark.e2e


def runs_page(browser: Browser, server: Server) -> Page:
    page = browser.new_context(viewport={"width": 1366, "height": 1000}).new_page()
    page.goto(f"{server.address}/runs")
    settled(page, PAGES["runs"])
    return page


def write(page: Page, label: str, text: str) -> None:
    field = page.get_by_label(label, exact=True).filter(visible=True).first
    field.fill(text)
    field.press("Tab")


def row(page: Page, run: str) -> Locator:
    return page.locator(f".st-key-run-row-{run}")


def tick(page: Page, run: str) -> None:
    drawn(page)
    row(page, run).locator("label").first.click()
    expect(page.get_by_text("1 run ticked.")).to_be_visible(timeout=PATIENCE)


def test_a_foreign_model_gets_its_verdict_and_its_answer(
    browser: Browser, own: Server, shots: Path, record_property: Callable[[str, object], None]
) -> None:
    """Import and Evaluate are each one press; Ask then answers with it."""
    settings = replace(Settings.from_environment(), cache=own.folder / "cache", reports=own.store.folder)
    model = full_model(toy_folder(settings), own.folder / "theirs")
    page, began = runs_page(browser, own), time.monotonic()
    page.get_by_text("Import a run or a model", exact=True).click()
    write(page, "Path on this machine", str(model))
    write(page, "Test questions", str(rows(ASKED, own.folder / "asked.csv")))
    write(page, "Training data", str(rows(LEARNT, own.folder / "learnt.csv")))
    write(page, "Base model", "toy")
    press(page, "Import")
    expect(page.get_by_text("Made theirs.")).to_be_visible(timeout=2 * PATIENCE)
    press(page, "Evaluate")
    expect(page.get_by_text("Evaluating theirs").first).to_be_visible(timeout=PATIENCE)
    page.screenshot(path=shots / "runs-evaluating.png")
    expect(page.get_by_text("Evaluating theirs: done.")).to_be_visible(timeout=2 * PATIENCE)
    run = own.store.open("theirs")
    assert run.evaluation() is not None
    row(page, "theirs").get_by_role("link", name="theirs").click()
    expect(page.get_by_text(sentence(run)[:40]).first).to_be_visible(timeout=PATIENCE)
    record_property("seconds from the folder to the verdict", round(time.monotonic() - began))
    page.get_by_role("link", name="Ask", exact=True).click()
    widget = page.frame_locator("iframe")
    widget.get_by_role("textbox").first.fill("What are the symptoms of gout?")
    widget.get_by_role("button", name="Ask both models").click()
    expect(widget.locator("#status")).to_contain_text("Done.", timeout=2 * PATIENCE)
    page.context.close()


def test_renamed_archived_deleted_and_restored(browser: Browser, own: Server, shots: Path) -> None:
    from tests.support.runs import RunBuilder
    from tests.support.scenarios import SHOWN

    own.store.folder.mkdir(exist_ok=True)
    RunBuilder(own.store.folder, SHOWN).finished("one")
    page = runs_page(browser, own)
    tick(page, "one")
    press(page, "Edit")
    write(page, "Title", "Rank 16")
    write(page, "Tags", "kept, lora")
    press(page, "Save")
    expect(row(page, "one").get_by_text("Rank 16")).to_be_visible(timeout=PATIENCE)
    assert [(entry.title, entry.tags) for entry in own.store.list()] == [("Rank 16", ("kept", "lora"))]
    page.keyboard.press("Escape")
    press(page, "Archive")
    expect(page.get_by_text("Archived: one.")).to_be_visible(timeout=PATIENCE)
    expect(row(page, "one")).to_have_count(0, timeout=PATIENCE)
    page.get_by_text("Archived too", exact=True).click()
    tick(page, "one")
    press(page, "Unarchive")
    expect(page.get_by_text("Back in the lists: one.")).to_be_visible(timeout=PATIENCE)
    tick(page, "one")
    press(page, "Delete")
    page.screenshot(path=shots / "runs-delete.png")
    press(page, "Move 1 run to the bin")
    expect(page.get_by_text("Moved to the bin: one.")).to_be_visible(timeout=PATIENCE)
    assert own.store.list() == []
    page.get_by_text("Bin (1)", exact=True).click()
    press(page, "Restore")
    expect(page.get_by_text("Restored: one.")).to_be_visible(timeout=PATIENCE)
    assert [entry.title for entry in own.store.list()] == ["Rank 16"]
    page.context.close()
