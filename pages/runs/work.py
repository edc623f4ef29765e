"""The tasks of the store: those that wait or run, with their progress, and how the last ones ended."""

from datetime import timedelta

import streamlit as st

from medqa_core.foundation.settings import Settings
from medqa_core.jobs.explanation import ended_task
from medqa_core.jobs.task import ENDED, TaskEntry, all_tasks
from medqa_core.jobs.tasks import active_tasks
from medqa_core.runs.schema.status import now
from pages.runs import actions, imports
from pages.shared import flash, notices, run_picker, tasks
from pages.shared.queue import move_on

DONE_SHOWN = timedelta(hours=1)
"""How long a task that is done stays in sight; one that failed stays until it is dismissed or gone."""


def draw(settings: Settings) -> None:
    """Nothing where there is nothing."""
    found = all_tasks(settings)
    active = [entry for entry in found if entry.state not in ENDED]
    if active:
        _follow([entry.task.id for entry in active], settings)
    for entry in found:
        if entry.state in ENDED and (entry.state != "done" or _recent(entry)):
            _ended(entry)


def _follow(ids: list[str], settings: Settings) -> None:
    said = flash.kept()

    @st.fragment(run_every=tasks.EVERY_SECONDS)
    def refreshing() -> None:
        move_on(settings)
        active = active_tasks(settings)
        if [entry.task.id for entry in active] != ids:
            st.rerun()
        said()
        for entry in active:
            tasks.progress(entry)

    refreshing()


def _ended(entry: TaskEntry) -> None:
    notices.notice(*ended_task(entry), bad=entry.state not in ("done", "stopped"))
    with st.container(horizontal=True, gap="small"):
        if entry.status.run:
            _next(entry, entry.status.run)
        elif entry.task.kind == "import" and entry.state != "done":
            imports.refill_button(entry)
        tasks.remove_button(entry)


def _next(entry: TaskEntry, made: str) -> None:
    """What is to be done with a run that an import made: look at it; where it holds a model, evaluate it.

    The keys are the task's: an id is free again once its run is deleted, and a second import may have made another one.
    """
    for run in run_picker.open_all([made]):  # none where it was deleted since
        st.button("Open", key=f"open {entry.task.id}", on_click=actions.show, args=(run.id,))
        if run.weights_file() is not None and run.evaluation() is None:
            words = tasks.WORDING["evaluate"]
            st.button(
                words.button,
                key=f"evaluate {entry.task.id}",
                type="primary",
                help=words.help,
                on_click=tasks.queue,
                args=("evaluate", run.id),
            )


def _recent(entry: TaskEntry) -> bool:
    return now() - (entry.status.finished_at or entry.task.submitted_at) < DONE_SHOWN
