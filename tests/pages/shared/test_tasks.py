"""The part of a page that follows a task: what a press in it says stands there at once."""

from collections.abc import Callable

import pytest
import streamlit as st

from medqa_core.foundation.settings import Settings
from medqa_core.jobs.task import TASKS, Task, TaskStatus, write_task, write_task_status
from medqa_core.runs.schema.status import ProcessIdentity, now
from pages.shared import flash, tasks
from tests.support.pages import Open, texts
from tests.support.runs import RunBuilder

SAID = "It is being stopped."
Body = Callable[[], None]


@pytest.fixture
def press_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that is drawn by itself is drawn, a callback in it leaves a message, and the part alone is drawn twice."""

    def part(run_every: float) -> Callable[[Body], Body]:
        def decorated(body: Body) -> Body:
            def drawn() -> None:
                body()
                flash.flash(SAID)
                body()
                body()

            return drawn

        return decorated

    monkeypatch.setattr(st, "fragment", part)
    monkeypatch.setattr(tasks, "progress", lambda entry: None)  # whose button can only be drawn once


@pytest.mark.parametrize("page", ["runs/runs.py", "answers/answers.py"])
def test_what_a_press_of_stop_says_stands_there_while_the_task_is_still_there(
    page: str, build: RunBuilder, open_page: Open, press_in_it: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDQA_PUBLIC", raising=False)
    build.status(build.run("bare"))
    task = Task(id="20261127T080000000000Z-evaluate-0a0b0c", kind="evaluate", run="bare", submitted_at=now())
    folder = Settings.from_environment().reports / TASKS / task.id
    write_task(folder, task)
    write_task_status(folder, TaskStatus(state="running", process=ProcessIdentity.current()))
    app = open_page(page, run="bare")
    assert texts(app).count(SAID) == 2, "in the drawing after the press, and in the one after that"
    write_task_status(folder, TaskStatus(state="stopped"))
    assert SAID not in texts(app.run())
