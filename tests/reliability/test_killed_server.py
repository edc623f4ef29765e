"""A server that is killed while a fine-tune runs in the background takes nothing with it, and the next one finds it.

One kill in a browser, with what the page shows: `tests/e2e/test_fine_tune.py`.
"""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect, sync_playwright

from medqa_core.foundation.settings import Settings
from medqa_core.jobs.queue import store_of, submit
from medqa_core.jobs.stop import stop
from medqa_core.jobs.watch import look
from medqa_core.models.toy import ensure
from medqa_core.runs.artifacts.job import read_job
from medqa_core.runs.schema.presets import from_preset
from tests.reliability.servers import EPOCHS, SERVES, check_trained_once, serve, workers
from tests.reliability.workers import SEED, say, seeded
from tests.support.browser import ARGUMENTS, PATIENCE, Server, form, press
from tests.support.jobs import until

pytestmark = pytest.mark.reliability
KILLS = int(os.environ.get("MEDQA_SERVER_KILLS", "50"))
"""Moments at which a server is killed while a run is trained; those while its worker starts come on top."""
LONGEST = 600.0
"""Seconds for all of them."""
CONFIGS = [from_preset("smoke", {"epochs": EPOCHS, "seed": seed}) for seed in range(1, 7)]
"""The first ones are trained while servers die; the others keep the queue from running dry."""
DIES = """
import os, signal, sys
from medqa_core.jobs import launch
started = launch.subprocess.Popen
def popen(*arguments, **named):
    if sys.argv[2] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    process = started(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)
launch.subprocess.Popen = popen
"""
"""A server that dies while it starts a worker: before there is one, or before it is written down."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Settings]:
    settings = Settings(tmp_path / "reports", tmp_path / "cache", None, None, False)
    ensure(settings.cache)
    yield settings
    for process in workers(settings):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_a_server_that_dies_fifty_times(place: Settings) -> None:
    runs = [submit(config, place, evaluate=False).run for config in CONFIGS]
    known: set[int] = set()
    trained: list[str] = []
    start = time.monotonic()

    def check() -> bool:
        """What must hold at any time. Whether a run is being trained."""
        known.update(process.pid for process in workers(place))
        training = [current.run.id for current in look(place).current if current.activity == "training"]
        assert len(training) <= 1, f"{training} are trained at once"
        trained.extend(one for one in training if one not in trained)
        for run in runs:
            assert run.state() in ("queued", "running", "completed"), run.log_tail()[-2000:]
        return bool(training)

    out = place.reports.parent / "server.out"
    kills = during = 0
    with seeded(SEED) as moments:
        while during < KILLS:
            assert time.monotonic() - start < LONGEST, f"only {during} of {kills} kills while a run was trained"
            server = serve(place, str(len(CONFIGS)))  # its first deed: the button, pressed once more
            said = out.stat().st_size
            if kills % 4:  # three of four come to look after the queue before they die
                until(lambda: out.stat().st_size > said, 60)  # noqa: B023
            end = time.monotonic() + moments.uniform(0.0, 1.5)
            while time.monotonic() < end:
                check()
                time.sleep(0.05)
            kills, during = kills + 1, during + check()
            server.kill()
            server.wait(10)
            if kills % 10 == 0:
                say(f"{kills} servers killed, {during} while a run was trained, {time.monotonic() - start:.0f} s")
    assert sorted(entry.id for entry in store_of(place).list()) == sorted(run.id for run in runs), "a run too many"
    for run in runs:
        if run.state() == "queued" and not any(current.run.id == run.id for current in look(place).current):
            stop(run, place)
    runs = [run for run in runs if run.state() != "stopped"]
    until(lambda: not check() and not workers(place), 300)
    complete = [run for run in runs if run.state() == "completed"]
    for run in complete:
        check_trained_once(run)
    jobs = [read_job(place.reports / entry.id).value for entry in store_of(place).list()]
    launches = [job.launches for job in jobs if job]
    assert complete and max(launches) == 1, launches
    assert len(known) <= sum(launches), f"{len(known)} workers for {sum(launches)} launches"
    assert "Traceback" not in out.read_text()
    say(f"{kills} servers killed, {during} of them while a run was trained")
    say(f"{len(complete)} runs complete in one attempt each, {len(known)} workers in all, {len(trained)} seen training")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_server_that_dies_while_it_starts_a_worker(place: Settings, moment: str) -> None:
    """The next server finds a worker that was not written down, and starts one only where there is none."""
    config = from_preset("smoke")
    run = submit(config, place, evaluate=False).run
    code = SERVES.split("for seed")[0] + DIES + "launch.advance(settings)\n"
    assert serve(place, moment, code=code).wait(60) == -signal.SIGKILL
    assert run.state() == "queued"
    assert len(workers(place)) == (moment == "after")
    server = serve(place)
    until(lambda: run.state() == "completed" and not workers(place), 180)
    server.kill()
    server.wait(10)
    check_trained_once(run)
    job = read_job(run.folder).value
    assert job is not None and job.launches == (1 if moment == "after" else 2)


def test_the_real_server_dies_twice(tmp_path: Path) -> None:
    """`streamlit run app.py` and a browser: the worker lives on, each new server shows it, and no second one comes."""
    app, status = Server(tmp_path), None
    app.start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        try:
            page = form(browser, app, epochs=100)
            press(page, "Start fine-tune")
            expect(page.get_by_text("Smoke test: step").first).to_be_visible(timeout=4 * PATIENCE)
            run = app.store.open("smoke")
            status = run.status()
            assert status is not None and status.process is not None
            for number in (1, 2):
                app.kill()
                assert (run.state(), status.process.is_alive()) == ("running", True), "the worker went with the server"
                app.start()
                page = browser.new_page()
                page.goto(f"{app.address}/fine_tune")
                expect(page.get_by_role("combobox", name="Start from")).to_be_visible(timeout=4 * PATIENCE)
                page = form(browser, app, epochs=100)
                expect(page.get_by_text("Smoke test: step").first).to_be_visible(timeout=PATIENCE)
                press(page, "Start fine-tune")
                expect(page.get_by_text("no second run was started").first).to_be_visible(timeout=PATIENCE)
                say(f"server killed {number} times, the run is at step {run.status().step}")  # type: ignore[union-attr]
            until(lambda: run.state() != "running", 300)
        finally:
            browser.close()
            app.kill()
            if status is not None and status.process is not None and status.process.is_alive():
                psutil.Process(status.process.pid).kill()  # the evaluation that follows is not looked at here
    check_trained_once(run)
    job = read_job(run.folder).value
    assert job is not None and job.launches == 1
    assert [entry.id for entry in app.store.list()] == ["smoke"]
