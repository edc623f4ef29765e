"""Importing on the Runs page: a run's figures, or its model with what it is asked; errors at their fields."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import TextInput

from medqa_core.foundation.errors import InputError, RunError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import launch, tasks
from medqa_core.jobs.task import TaskEntry, TaskStatus, all_tasks, write_task_status
from medqa_core.jobs.task_worker import working
from medqa_core.jobs.tasks import submit_task
from medqa_core.runs.schema.status import ProcessIdentity
from pages.runs.imports import ALL
from tests.support.foreign_models import ASKED, LEARNT, rows
from tests.support.pages import Open, held, press, send, texts
from tests.support.runs import RunBuilder

PAGE = "runs/runs.py"


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    """What is typed to bring a model: its folder, its base, what it is asked and what it was trained on."""
    (tmp_path / "out").mkdir()
    return {
        "path": str(tmp_path / "out"),
        "dataset": str(rows(ASKED, tmp_path / "test.csv")),
        "trained_on": str(rows(LEARNT, tmp_path / "train.csv")),
        "base": "owner/model",
    }


def field(app: AppTest, name: str) -> TextInput:
    return next(found for found in app.text_input if (found.key or "").startswith(f"import {name} "))


def fill(app: AppTest, values: dict[str, str]) -> AppTest:
    for name, value in values.items():
        field(app, name).input(value)
    return app.run()


def typed(app: AppTest) -> dict[str, str]:
    values = {one.name: field(app, one.name).value or "" for one in ALL}
    return {name: value for name, value in values.items() if value}


def only_task() -> TaskEntry:
    [entry] = all_tasks(Settings.from_environment())
    return entry


def test_figures_alone(build: RunBuilder, open_page: Open, started: list[str], tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("Test Loss: 2.04")
    app = press(fill(open_page(PAGE), {"path": str(tmp_path / "log.txt")}), "Import")
    assert only_task().task.arguments == {"path": str(tmp_path / "log.txt")} and set(started) == {"import None"}
    assert "Importing log.txt" in texts(app) and typed(app) == {}


def test_import_is_enabled_while_the_path_is_typed(open_page: Open) -> None:
    app = open_page(PAGE)
    assert next(button for button in app.button if button.label == "Import").disabled
    assert field(app, "path").proto.live_debounce_ms > 0
    assert not next(button for button in fill(app, {"path": "/x"}).button if button.label == "Import").disabled


def test_a_model_with_its_base_and_data(
    build: RunBuilder, open_page: Open, started: list[str], given: dict[str, str]
) -> None:
    app = press(fill(open_page(PAGE), {**given, "title": "Theirs"}), "Import")
    entry = only_task()
    assert entry.task.arguments == {**given, "title": "Theirs"} and set(started) == {"import None"}
    assert "Importing out" in texts(app) and typed(app) == {}
    write_task_status(
        entry.folder,
        TaskStatus(state="running", process=ProcessIdentity.current(), stage="copying the weights"),
    )
    assert "copying the weights" in texts(app.run())
    (build.finished("theirs").folder / "evaluation.json").unlink()
    write_task_status(entry.folder, TaskStatus(state="done", run="theirs"))
    app.run()
    assert "Importing out: done." in texts(app) and "Made theirs." in texts(app)
    press(app, "Evaluate")
    assert [one.task.kind for one in all_tasks(Settings.from_environment())] == ["import", "evaluate"]
    assert started[-1] == "evaluate theirs"


def test_two_imports_that_made_a_run_of_one_id(build: RunBuilder, open_page: Open) -> None:
    (build.finished("theirs").folder / "evaluation.json").unlink()  # the first one was deleted and imported again
    for path in ("/first", "/second"):
        entry = submit_task("import", None, Settings.from_environment(), {"path": path}).entry
        write_task_status(entry.folder, TaskStatus(state="done", run="theirs"))
    app = open_page(PAGE)
    assert texts(app).count("Made theirs.") == 2
    offered = [button.label for button in app.button]
    assert offered.count("Dismiss") == 2 and offered.count("Evaluate") == 2


def test_what_is_wrong_stands_at_its_field(open_page: Open, given: dict[str, str], started: list[str]) -> None:
    wrong = {**given, "path": "/gone", "dataset": "gone.csv", "base": "./gone"}
    app = press(fill(open_page(PAGE), wrong), "Import")
    said = texts(app)
    assert "Not started. What is wrong stands in the form below." in said
    assert said.count("There is nothing at ") == 2 and "&#x27;gone.csv&#x27; does not exist" in said
    assert typed(app) == wrong and all_tasks(Settings.from_environment()) == [] and not started
    said = texts(fill(app, {"path": given["path"]}))
    assert said.count("There is nothing at ") == 1, "what was changed is not said to be wrong any more"
    press(fill(app, given), "Import")
    assert only_task().task.arguments == given


def test_an_import_that_failed_is_changed_and_tried_again(open_page: Open, given: dict[str, str]) -> None:
    app = press(fill(open_page(PAGE), given), "Import")
    error = InputError("out was not trained on owner/model: give its own base.", field="--base")
    with pytest.raises(InputError), working(only_task().task.id, Settings.from_environment()):
        raise error
    said = texts(app.run())
    assert "Importing out: failed." in said and "was not trained on owner/model" in said
    app = press(app, "Change and try again")
    assert typed(app) == given and all_tasks(Settings.from_environment()) == []
    assert texts(app).count("out was not trained on owner/model: give its own base.") == 1


def test_what_was_typed_stays_where_it_cannot_be_queued(
    open_page: Open, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "MOST", 0)
    app = press(fill(open_page(PAGE), given), "Import")
    assert "Not started. 0 tasks are kept already" in texts(app) and typed(app) == given


def test_an_import_that_is_queued_and_cannot_be_started_is_said_to_wait(
    open_page: Open, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_process(settings: Settings) -> list[str]:
        raise RunError("No worker can be started for import: Cannot allocate memory.")

    app = fill(open_page(PAGE), given)
    monkeypatch.setattr(launch, "advance", no_process)
    said = texts(press(app, "Import"))
    assert "It waits in the queue, which cannot go on: No worker can be started for import" in said
    assert "Not started." not in said and only_task().state == "queued" and typed(app) == {}


def test_what_was_typed_stays_while_another_page_is_looked_at(open_page: Open, given: dict[str, str]) -> None:
    app = fill(open_page(PAGE), given)
    app = app.switch_page("fine_tune/fine_tune.py").run().switch_page(PAGE).run()
    assert typed(app) == given


def test_a_browser_that_still_holds_what_was_typed_does_not_bring_it_back(
    open_page: Open, given: dict[str, str]
) -> None:
    app = fill(open_page(PAGE), given)
    older = held(app)
    app = press(app, "Import")
    app = send(app, held(app) | older)
    assert typed(app) == {}


def test_a_visitor_of_a_demo_imports_nothing(
    build: RunBuilder, open_page: Open, given: dict[str, str], monkeypatch: pytest.MonkeyPatch, started: list[str]
) -> None:
    build.finished("a")
    app = fill(open_page(PAGE), given)
    settings = Settings.from_environment()
    entry = submit_task("import", None, settings, {"path": "/x"}).entry
    write_task_status(entry.folder, TaskStatus(state="failed", error="It is not there."))
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    app.button(key="import").click().run()  # a form that was open when the demo began
    assert len(all_tasks(settings)) == 1 and not started
    app = open_page(PAGE)
    assert not [i.key for i in app.text_input if (i.key or "").startswith("import")]
    assert "not there" not in texts(app) and "Change and try again" not in [b.label for b in app.button]
