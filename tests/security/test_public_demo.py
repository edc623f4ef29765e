"""A visitor of a public demo walks over every page, presses every button, and changes nothing of whoever runs it."""

import io
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medqa_core.foundation.files import read_json
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import launch, remove, stop, tasks
from medqa_core.jobs.queue import store_of, submit, write_status
from medqa_core.jobs.task import Task, TaskStatus, write_task, write_task_status
from medqa_core.jobs.tasks import submit_task
from medqa_core.runs.artifacts.weights import weights_file
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.status import ProcessIdentity, Status, now
from medqa_core.runs.store import bin, labelling
from pages.summary.full_report import everything
from tests.support.pages import PAGES, elements, texts, visit
from tests.support.runs import RunBuilder, rewrite
from tests.support.scenarios import SHOWN

EVERY_PAGE = (*PAGES, "runs/runs.py", "fine_tune/fine_tune.py")
HARMLESS = {"All questions", "Compare", "Copy link", "Open", "Next", "Previous", "Ask both models", "Stop"}
"""What a visitor may press. Who adds a button that a demo shows adds it here, or hides it there."""
INPUTS = ("file_uploader", "camera_input", "audio_input", "chat_input", "data_editor")
"""Elements that take more than a choice or a line."""
Walk = Callable[..., AppTest]


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A store with runs of every kind, a run that waits, a task that waits and one that failed; shown in public."""
    settings = Settings(tmp_path / "reports", tmp_path / "cache", None, None, False)
    settings.reports.mkdir()
    build = RunBuilder(settings.reports, SHOWN)
    for kind in ("finished", "imported", "running", "failed", "lost"):
        getattr(build, kind)()
    (settings.reports / "finished" / "adapter").mkdir(exist_ok=True)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (settings.reports / "finished" / "adapter" / name).write_text("{}")
    assert weights_file(settings.reports / "finished") is not None, "what can be measured is there to be measured"
    submit(from_preset("smoke"), settings, run_id="waiting")
    submit_task("retrieval", "finished", settings)
    ended = Task(id="20261127T080000000000Z-import-0a0b0c", kind="import", arguments={"path": "x"}, submitted_at=now())
    write_task(settings.reports / ".tasks" / ended.id, ended)
    write_task_status(settings.reports / ".tasks" / ended.id, TaskStatus(state="failed", error="No such file."))
    build.finished("deleted")
    bin.delete(build.store, "deleted")
    monkeypatch.setenv("MEDQA_REPORTS", str(settings.reports))
    monkeypatch.setenv("MEDQA_CACHE", str(settings.cache))
    yield settings
    st.cache_resource.clear()


@pytest.fixture
def walk(demo: Settings) -> Walk:
    return partial(visit, seconds=30)


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever would start, stop, queue, rename or delete anything fails the test."""

    def refuse(*arguments: Any, **named: Any) -> NoReturn:
        raise AssertionError(f"a visitor reached what changes something: {arguments[:1]}")

    for owner, names in (
        (launch, ("advance", "_spawn")), (tasks, ("submit_task", "stop_task", "forget_task")), (stop, ("stop",)),
        (remove, ("remove", "delete")), (labelling, ("change_labels",)), (bin, ("delete", "restore", "empty")),
        (subprocess, ("Popen",)),
    ):  # fmt: skip
        for name in names:
            if hasattr(owner, name):
                monkeypatch.setattr(owner, name, refuse)


def state(settings: Settings) -> dict[str, bytes]:
    """Every file of the store, by its place."""
    return {
        path.relative_to(settings.reports).as_posix(): path.read_bytes()
        for path in settings.reports.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


@pytest.mark.parametrize("page", EVERY_PAGE)
@pytest.mark.parametrize("run", ["finished", "waiting"])
def test_no_page_takes_a_file_or_offers_a_change(
    demo: Settings, walk: Walk, nothing_starts: None, monkeypatch: pytest.MonkeyPatch, page: str, run: str
) -> None:
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    before = state(demo)
    app = walk(page, run=run)
    assert not app.exception, [e.message for e in app.exception]
    assert [kind for kind in INPUTS if elements(app, kind)] == []
    labels = {button.label for button in app.button}
    assert {label for label in labels if not _harmless(label)} == set()
    assert state(demo) == before and not (demo.cache / "uploads").exists()


def _harmless(label: str) -> bool:
    return label in HARMLESS or label.startswith(("Show ", "Ask "))


def test_what_is_the_hosts_own_is_not_searched_and_not_in_the_zip(
    demo: Settings, walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "advance", lambda settings: [])
    run = store_of(demo).open("finished")
    (run.folder / "train.log").write_text("/home/me/data")
    labelling.change_labels(store_of(demo), run.id, labelling.LabelChange(add_tags=("secret",), note="mine"))
    private = {"finished/labels.json", "finished/train.log", "finished/status.json"}

    def found() -> list[str]:
        app = walk("runs/runs.py")
        app.text_input(key="runs-find").input("secret").run()
        return [box.key for box in app.checkbox if box.key and box.key.startswith("tick ")]

    def packed() -> set[str]:
        return set(zipfile.ZipFile(io.BytesIO(everything(run, weights=True))).namelist())

    assert len(found()) == 1 and private <= packed()
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    assert found() == [] and not private & packed()


@pytest.mark.parametrize(("page", "run"), [
    ("fine_tune/fine_tune.py", "failed"), ("fine_tune/fine_tune.py", "waiting"), ("runs/runs.py", "waiting"),
])  # fmt: skip
def test_where_data_of_the_host_lie_is_not_shown(
    demo: Settings, walk: Walk, monkeypatch: pytest.MonkeyPatch, page: str, run: str
) -> None:
    monkeypatch.setattr(launch, "advance", lambda settings: [])
    record = demo.reports / run / "run.json"
    config = read_json(record)["config"] | {"dataset": "/srv/secretplace/mydata"}
    rewrite(record, config=config, data=None)
    assert "secretplace" in texts(walk(page, run=run))
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    said = texts(walk(page, run=run))
    assert "secretplace" not in said and "mydata" in said


def test_where_a_base_model_of_the_host_lies_is_not_compared(
    demo: Settings, walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "advance", lambda settings: [])
    record = demo.reports / "finished" / "run.json"
    rewrite(record, base_model=read_json(record)["base_model"] | {"id": "/srv/secretplace/mymodel"})
    settings = partial(walk, "compare/compare.py", run="finished", runs="run-2", view="Settings")
    assert "secretplace" in texts(settings())
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    assert "secretplace" not in (said := texts(settings())) and "mymodel" in said


def test_the_machine_that_fell_silent_is_not_named(demo: Settings, walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "advance", lambda settings: [])
    far = ProcessIdentity(pid=1, created=0.0, boot="theirs", host="node-7")
    write_status(demo.reports / "lost", Status(state="running", process=far, step=4))
    assert "from node-7, the machine that trained it" in texts(walk("fine_tune/fine_tune.py", run="lost"))
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    said = texts(walk("fine_tune/fine_tune.py", run="lost"))
    assert "No update for too long from the machine that trained it." in said and "node-7" not in said


@pytest.mark.parametrize("page", [page for page in EVERY_PAGE if page != "ask/ask.py"])
def test_every_button_can_be_pressed_and_nothing_is_written(
    demo: Settings, walk: Walk, nothing_starts: None, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    before = state(demo)
    for number in range(len(walk(page, run="finished").button)):
        app = walk(page, run="finished")
        if not app.button[number].disabled:
            app.button[number].click().run()
        assert not app.exception, [e.message for e in app.exception]
    for kind in ("text_input", "text_area"):
        for number in range(len(elements(walk(page, run="finished"), kind))):
            app = walk(page, run="finished")
            elements(app, kind)[number].set_value("/etc/passwd").run()
            assert not app.exception and "root:" not in str([e.value for e in elements(app, "html")])
    assert state(demo) == before


def test_no_address_opens_a_file_or_starts_anything(
    demo: Settings, walk: Walk, nothing_starts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    before = state(demo)
    paths = dict.fromkeys(("data", "dataset", "path", "preset", "train", "test", "base_model"), "/etc/passwd")
    for page in ("data/data.py", "fine_tune/fine_tune.py", "runs/runs.py", "summary/summary.py"):
        for run in ("finished", "../.tasks", ".bin"):
            app = walk(page, run=run, tab="<b>", **paths)
            assert not app.exception and "root:" not in str([e.value for e in elements(app, "html")])
    assert state(demo) == before


def test_on_ones_own_machine_the_same_pages_do_offer_it(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests above do not pass because nothing was there to be hidden."""
    monkeypatch.setattr(launch, "advance", lambda settings: [])
    offered = {
        button.label for page in EVERY_PAGE for run in ("finished", "failed") for button in walk(page, run=run).button
    }
    assert {"Start fine-tune", "Resume", "Import", "Dismiss", "Fetch smollm2-135m-instruct"} <= offered, offered
    assert elements(walk("fine_tune/fine_tune.py"), "file_uploader")
