"""Several processes at one store, a worker that is paused, and a clock that is set.

Elsewhere: a button pressed at once from many threads and processes (`tests/jobs/test_queue.py`) and in two tabs
(`tests/e2e/test_fine_tune.py`); a zombie, and a number that went to another process (`tests/runs/test_status.py`,
`tests/jobs/test_stop.py`).
"""

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.jobs import watch
from medqa_core.jobs.queue import enqueue, store_of, submit
from medqa_core.jobs.stop import stop
from medqa_core.models.toy import ensure
from medqa_core.runs import snapshot
from medqa_core.runs.artifacts.job import read_job
from medqa_core.runs.run import Run
from medqa_core.runs.schema import status as status_module
from medqa_core.runs.schema.presets import from_preset
from tests.reliability.servers import check_trained_once, command, serve, workers
from tests.reliability.workers import Orders, losses_of, parsed, set_clock, start
from tests.support.jobs import until
from tests.support.pages import shown

pytestmark = pytest.mark.reliability
CONFIG = from_preset("smoke", {"lora_dropout": 0.1})
RACES = 5
DAY = 86_400.0
BEATS = (0.2, 0.8)
"""Seconds between a worker's heartbeats here, and those that it promises on top."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    ensure(folder)
    return folder


@pytest.fixture
def place(tmp_path: Path, cache: Path) -> Settings:
    shutil.copytree(cache, tmp_path / "cache")
    return Settings(tmp_path / "reports", tmp_path / "cache", None, None, False)


@pytest.fixture(scope="module")
def whole(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], float]:
    """The losses of a run that nothing happens to."""
    settings = Settings(tmp_path_factory.mktemp("whole") / "reports", cache, None, None, False)
    run = submit(CONFIG, settings, evaluate=False).run
    with working(run, settings) as worker:
        worker.join(120)
    return losses_of(run)


@contextmanager
def working(run: Run, settings: Settings, orders: Orders = Orders()) -> Iterator[Any]:  # noqa: B008
    """A worker that works on the run while the block goes on."""
    worker = start(settings, run, orders)
    try:
        yield worker
    finally:
        with suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGCONT)
        worker.kill()
        worker.join()


def activity(run: Run, settings: Settings) -> str | None:
    return watch.observe(run, settings).activity


def steps(run: Run) -> int:
    path = run.folder / "metrics.jsonl"
    return sum(row["split"] == "train" for row in parsed(path.read_bytes())) if path.exists() else 0


def test_two_writers_on_one_run(place: Settings, whole: dict[tuple[str, int], float]) -> None:
    """With caches apart, so that no lock of the device stands between them: the run itself lets one in."""
    other = replace(place, cache=place.cache.with_name("other"))
    shutil.copytree(place.cache, other.cache)
    orders = Orders(arguments=())  # as a person does it, in two terminals
    out = place.reports.parent / "worker.out"
    for number in range(RACES):
        run = submit(CONFIG, place, run_id=f"run-{number}", evaluate=False).run
        with working(run, place, orders) as one, working(run, other, orders) as two:
            one.join(120)
            two.join(120)
            assert sorted((one.exitcode, two.exitcode)) == [0, 2], out.read_text()
        check_trained_once(run)
        assert losses_of(run) == whole
    said = [line for line in out.read_text().splitlines() if line.startswith("error: ")]
    assert len(said) == RACES
    for line in said:
        assert re.search(r"is being started by another process|needs no resuming|being trained already", line), line


def test_two_servers_on_one_store(place: Settings) -> None:
    servers = [serve(place, "1", "2", epochs=4.0) for _ in range(2)]  # each presses the button for both
    until(lambda: len(store_of(place).list()) == 2 or any(server.poll() for server in servers), 60)
    known: set[int] = set()

    def complete() -> bool:
        known.update(process.pid for process in workers(place))
        training = [c.run.id for c in watch.look(place).current if c.activity == "training"]
        assert len(training) <= 1, f"{training} are trained at once"
        return all(entry.state == "completed" for entry in store_of(place).list())

    try:
        until(complete, 600)
        until(lambda: not workers(place), 30)
    finally:
        for server in servers:
            server.kill()
            server.wait(10)
        for process in workers(place):
            process.kill()
    assert sorted(entry.id for entry in store_of(place).list()) == ["smoke", "smoke-2"]
    for entry in store_of(place).list():
        run = store_of(place).open(entry.id)
        check_trained_once(run)
        job = read_job(run.folder).value
        assert job is not None and job.launches == 1
    assert len(known) == 2, f"{len(known)} workers for two runs"


def test_a_paused_worker_is_stalled_and_goes_on(
    place: Settings, whole: dict[tuple[str, int], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = submit(CONFIG, place, evaluate=False).run
    with working(run, place, Orders(heartbeat=BEATS, pause=0.1)) as worker:
        until(lambda: steps(run) >= 3, 60)
        assert (run.state(), activity(run, place)) == ("running", "training")
        os.kill(worker.pid, signal.SIGSTOP)
        until(lambda: activity(run, place) == "stalled", 10)
        assert run.state() == "running", "it is neither lost nor failed"
        assert "stalled" in command(place, "runs").stdout
        said = page(place, monkeypatch, "fine_tune/fine_tune.py", run.id)
        assert "No update since" in said and "the process is there" in said
        assert "cut off" not in said and "failed" not in said
        os.kill(worker.pid, signal.SIGCONT)
        until(lambda: activity(run, place) != "stalled", 10)
        worker.join(120)
        assert worker.exitcode == 0
    check_trained_once(run)
    assert losses_of(run) == whole


@pytest.mark.parametrize("force", [False, True])
def test_a_paused_worker_can_be_stopped(place: Settings, force: bool) -> None:
    run = submit(CONFIG, place, evaluate=False).run
    with working(run, place, Orders(heartbeat=BEATS, pause=0.2)) as worker:
        until(lambda: steps(run) >= 3, 60)
        os.kill(worker.pid, signal.SIGSTOP)
        stop(run, place, force=force)
        if not force:  # the wish waits until the process can hear it
            assert run.state() == "running"
            os.kill(worker.pid, signal.SIGCONT)
        worker.join(60)
        assert worker.exitcode == (-signal.SIGKILL if force else 0)
    assert run.state() == "stopped"
    enqueue(run, place)
    with working(run, place) as worker:
        worker.join(120)
    assert run.state() == "completed"


@pytest.mark.parametrize("seconds", [DAY, -DAY], ids=["forward", "back"])
def test_the_clock_is_set_by_a_day(
    place: Settings, whole: dict[tuple[str, int], float], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the worker and for those who watch it, as one machine has one clock."""
    run = submit(CONFIG, place, evaluate=False).run
    for module, name in ((status_module, "now"), (snapshot, "now"), (time, "time")):
        monkeypatch.setattr(module, name, getattr(module, name))  # so that it is undone
    with working(run, place, Orders(heartbeat=BEATS, pause=0.2, clock=(seconds, 3))) as worker:
        until(lambda: steps(run) >= 4, 60)
        with monkeypatch.context() as patch:
            set_clock(seconds, patch.setattr)
            seen = []
            while worker.is_alive():
                assert run.state() in ("running", "completed"), "a clock that is set loses no run"
                seen.append(activity(run, place))
                time.sleep(0.05)
            assert worker.exitcode == 0
            assert seen.count("stalled") * 0.05 < 2 * BEATS[0] + 1, "it is called stalled until its next heartbeat only"
            found = page(place, monkeypatch, "fine_tune/fine_tune.py", run.id)
            assert not re.search(r"[-−]\d+(\.\d+)? ?(s|min|h|d|sec|hour|day)", found), found
            ended = run.status()
            assert ended is not None and ended.train_seconds is not None and 0 < ended.train_seconds < 600
    check_trained_once(run)
    assert losses_of(run) == whole


def page(settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, run_id: str) -> str:
    """What a page says about a run."""
    from streamlit.testing.v1 import AppTest

    with monkeypatch.context() as patch:
        patch.setenv("MEDQA_REPORTS", str(settings.reports))
        patch.setenv("MEDQA_CACHE", str(settings.cache))
        app = AppTest.from_file(PACKAGE_ROOT / "pages" / "main.py", default_timeout=60)
        app.query_params["run"] = run_id
        app.switch_page(name).run()
        assert not app.exception and not app.error
        return " ".join([shown(app), *(element.value for element in app.markdown)])
