"""A fine-tune that is started in a browser outlives the tab and the server, stops, goes on, and is never doubled."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, expect

from medqa_core.report.wording.verdict import sentence
from medqa_core.runs.artifacts.job import read_job
from medqa_core.runs.run import Run
from tests.support.browser import PATIENCE, Server, fill, form, press

pytestmark = pytest.mark.e2e
CLICK_AT = """moment => setTimeout(() => [...document.querySelectorAll('button')]
    .find(b => b.innerText.trim() === 'Start fine-tune').click(), moment - Date.now())"""


def until(run: Run, *states: str) -> str:
    for _ in range(600):
        if run.state() in states:
            return run.state()
        time.sleep(0.2)
    pytest.fail(f"{run.id} is still {run.state()}: {run.log_tail()[-2000:]}")


def rows(run: Run) -> list[dict[str, Any]]:
    """What was logged; no step of either split twice."""
    found = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert set(Counter((row["split"], row["step"]) for row in found).values()) == {1}
    return found


def test_a_run_outlives_the_tab_and_the_server(browser: Browser, own: Server, shots: Path) -> None:
    page = form(browser, own, epochs=30)
    press(page, "Start fine-tune")
    expect(page.get_by_text("Smoke test: step").first).to_be_visible(timeout=PATIENCE)
    page.screenshot(path=shots / "fine-tune-during.png")
    run = own.store.open("smoke")
    status = run.status()
    assert status is not None and status.process is not None
    page.context.close()
    own.kill()
    assert run.state() == "running" and status.process.is_alive(), "the worker went with the server"
    own.start()
    page = browser.new_context().new_page()
    page.goto(f"{own.address}/fine_tune?run=smoke")
    expect(page.get_by_text("Completed in ").first).to_be_visible(timeout=2 * PATIENCE)
    page.screenshot(path=shots / "fine-tune-after.png")
    assert until(run, "completed") == "completed"
    assert [row["step"] for row in rows(run) if row["split"] == "train"] == list(range(1, 181))
    assert {row["attempt"] for row in rows(run)} == {1}
    assert run.evaluation() is not None
    page.get_by_role("link", name="How did training go?").click()
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=PATIENCE)
    assert page.url.endswith("/loss_curves?run=smoke")
    page.context.close()


def test_stop_and_resume(browser: Browser, own: Server) -> None:
    page = form(browser, own, epochs=80)
    press(page, "Start fine-tune")
    expect(page.get_by_text("Smoke test: step").first).to_be_visible(timeout=PATIENCE)
    run = own.store.open("smoke")
    press(page, "Stop and save")
    assert until(run, "stopped") == "stopped"
    reached = len([row for row in rows(run) if row["split"] == "train"])
    assert 0 < reached < 480
    expect(page.get_by_text("Stopped early.")).to_be_visible(timeout=PATIENCE)
    press(page, "Resume")
    until(run, "running")
    assert until(run, "completed") == "completed"
    found = [row for row in rows(run) if row["split"] == "train"]
    assert [row["step"] for row in found] == list(range(1, 481))
    assert [row["attempt"] for row in found] == [1] * reached + [2] * (480 - reached)
    page.context.close()


def test_two_tabs_at_once_make_one_run(browser: Browser, own: Server) -> None:
    tabs = [form(browser, own, epochs=5) for _ in range(2)]
    moment = time.time() * 1000 + 1500
    for tab in tabs:
        tab.evaluate(CLICK_AT, moment)
    for tab in tabs:
        expect(tab.get_by_role("heading", name="Run #1 · Smoke test").first).to_be_visible(timeout=PATIENCE)
    assert [entry.id for entry in own.store.list()] == ["smoke"]
    run = own.store.open("smoke")
    until(run, "completed")
    job = read_job(run.folder).value
    assert job is not None and job.launches == 1
    assert [row["step"] for row in rows(run) if row["split"] == "train"] == list(range(1, 31))
    for tab in tabs:
        tab.context.close()


def test_a_mistake_is_said_while_typing(browser: Browser, own: Server) -> None:
    page = form(browser, own, epochs=4)
    fill(page, "Epochs", "-1")
    expect(page.get_by_text("'-1' is not allowed")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Start fine-tune")).to_be_disabled()
    page.get_by_label("Epochs", exact=True).first.fill("3")
    expect(page.locator("code", has_text="epochs=3.0")).to_be_visible(timeout=PATIENCE)
    menu = page.get_by_test_id("stSidebarNav")  # where there are no runs, a page's notice links to Fine-tune too
    menu.get_by_role("link", name="Metrics").click()
    menu.get_by_role("link", name="Fine-tune").click()
    expect(page.locator("code", has_text="epochs=3.0")).to_be_visible(timeout=PATIENCE)
    page.context.close()


def test_an_upload_becomes_a_verdict_in_six_clicks(browser: Browser, own: Server, shots: Path) -> None:
    """Two clicks choose the preset, one opens the section, one the file's dialogue, one takes the data, one starts."""
    table = "Question;Answer;Topic\r\n" + "".join(f"What is ill {n}?;Ill {n} ist böse.;ill {n}\r\n" for n in range(60))
    page = form(browser, own, epochs=1)
    page.get_by_text("Bring your own data", exact=True).click(timeout=PATIENCE)
    useless = FilePayload(name="../marks.csv", mimeType="text/csv", buffer=b"a,b\r\n1,2\r\n")
    page.locator("input[type=file]").first.set_input_files(useless)
    expect(page.locator(".mq-bad", has_text="marks.csv")).to_be_visible(timeout=PATIENCE)
    sent = FilePayload(name="../my data.csv", mimeType="text/csv", buffer=table.encode("cp1252"))
    page.locator("input[type=file]").first.set_input_files(sent)
    expect(page.get_by_text("The first 10 of 60 usable pairs").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("read as Windows-1252").first).to_be_visible()
    page.screenshot(path=shots / "fine-tune-own-data.png", full_page=True)
    press(page, "Use these data")
    expect(page.get_by_text("The form below now has these data.")).to_be_visible(timeout=PATIENCE)
    press(page, "Start fine-tune")
    for _ in range(150):
        if own.store.list():
            break
        page.wait_for_timeout(200)
    run = own.store.open("smoke")
    assert until(run, "completed", "failed") == "completed"
    record = own.store.open("smoke").record
    assert record.data is not None and record.data.split is not None and record.data.split.test > 0
    assert record.config is not None and Path(record.config.dataset).parent == own.folder / "cache" / "uploads"
    assert "my data" not in record.config.dataset
    for _ in range(300):
        if run.evaluation() is not None:
            break
        page.wait_for_timeout(200)
    said = sentence(run)
    assert "has not been evaluated" not in said
    expect(page.get_by_text(said[:60]).first).to_be_visible(timeout=PATIENCE)
