"""A button that queues work on the device, and in its place how far that is, or why it failed.

In a public demo nothing of this is drawn: a visitor starts, stops and reads no work of the host.
"""

from typing import NamedTuple
from urllib.parse import urlsplit

import streamlit as st

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.format import bytes_size, capital, count, duration, percent
from medqa_core.foundation.progress import DOWNLOAD
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.explanation import ended_task
from medqa_core.jobs.task import ENDED, Kind, Task, TaskEntry
from medqa_core.jobs.tasks import forget_task, latest_task, stop_task, submit_task
from medqa_core.report.wording.stages import stage_text
from pages.shared import flash, notices
from pages.shared.markup import escape_markdown
from pages.shared.queue import move_on, start_next

EVERY_SECONDS = 2.0


class Wording(NamedTuple):
    """What the button of a kind of task says."""

    button: str
    help: str


WORDING: dict[Kind, Wording] = {
    "evaluate": Wording("Evaluate", "Base and fine-tuned model answer the test questions; the difference is judged."),
    "with_sources": Wording(
        "Measure answers with passages",
        "The test questions are answered once more, with passages of training documents in the prompt.",
    ),
    "mmlu": Wording("Measure MMLU", "Both models answer six medical subsets of MMLU."),
    "retrieval": Wording("Measure retrieval", "How often the search finds the passages that a question needs."),
    "int8": Wording("Measure int8 cost", "What 8-bit weights change, on up to 100 test questions."),
    "judge": Wording("Ask the judge model", "Which answers agree better with the references, in its view."),
    "import": Wording("Import", "Make a run of what another tool wrote."),
    "fetch": Wording("Fetch", "Download it into the cache, once; afterwards it works without a network."),
}


def offer(
    kind: Kind,
    run_id: str | None,
    *,
    arguments: dict[str, str] | None = None,
    primary: bool = False,
    label: str | None = None,
) -> None:
    """The button of a task on a run, or on what its arguments name; while it waits or runs, its progress instead."""
    settings = Settings.from_environment()
    if settings.public:
        return
    flash.show(flash.take())
    found = latest_task(settings, kind, run_id, arguments)
    if found is not None and found.state not in ENDED:
        _follow(found.task, settings)
        return
    if found is not None and found.state != "done":
        notices.notice(*ended_task(found), bad=found.state != "stopped")
    st.button(
        "Try again" if found is not None and found.state in ("failed", "lost") else label or WORDING[kind].button,
        key=f"task {kind} {run_id or arguments}",
        type="primary" if primary else "secondary",
        help=WORDING[kind].help,
        on_click=queue,
        args=(kind, run_id, arguments),
    )


def offer_fetch(name: str) -> None:
    """The button that fetches a data set, or the embedded model, into the cache."""
    offer("fetch", None, arguments={"name": name}, label=f"Fetch {escape_markdown(name)}")


class JudgeButton(NamedTuple):
    """What a press of the judge's button says before and sends."""

    label: str
    arguments: dict[str, str]
    sends: str = ""
    """What leaves this machine; empty where nothing does."""


def judge_button(settings: Settings) -> JudgeButton | None:
    """The button that asks the judge model; None where nobody named one."""
    if settings.judge is None:
        return None
    host = urlsplit(settings.judge).netloc if "://" in settings.judge else ""
    if not host:
        return JudgeButton(WORDING["judge"].button, {})
    sends = f"Asking the judge sends questions, references and both models' answers to {host}."
    return JudgeButton(f"Send to {escape_markdown(host)} and judge", {"host": host}, sends)


def queue(kind: Kind, run_id: str | None, arguments: dict[str, str] | None = None) -> None:
    """Queue a task and start it where the device is free; for a button's callback."""
    put_in_queue(kind, run_id, arguments)


def put_in_queue(kind: Kind, run_id: str | None, arguments: dict[str, str] | None = None) -> bool:
    """The same, and whether the task is queued; where it is not, the next drawing says why."""
    settings = Settings.from_environment()
    if settings.public:
        return False
    try:
        made = submit_task(kind, run_id, settings, arguments)
    except MedQAError as error:
        flash.flash(f"Not started. {error}", bad=True)
        return False
    if not made.new:
        flash.flash("That is queued or in progress already.")
    start_next(settings)
    return True


def _follow(task: Task, settings: Settings) -> None:
    said = flash.kept()

    @st.fragment(run_every=EVERY_SECONDS)
    def refreshing() -> None:
        move_on(settings)
        now = latest_task(settings, task.kind, task.run, task.arguments)
        if now is not None and now.state not in ENDED:
            said()
            progress(now)
            return
        if now is not None and now.state == "done" and task.run is None:  # a run's page shows what was measured
            flash.flash(ended_task(now)[1])
        st.rerun()

    refreshing()


def progress(entry: TaskEntry) -> None:
    """How far a task is that waits or runs, and the button that stops it."""
    notices.progress(capital(entry.task.doing), entry.share, _words(entry))
    label = "Stop" if entry.status.state == "running" or entry.starting else "Remove from the queue"
    st.button(label, key=f"stop task {entry.task.id}", on_click=_stop, args=(entry.task.id,))


def _words(entry: TaskEntry) -> list[str]:
    status = entry.status
    if status.state == "queued":
        return ["starting" if entry.starting else "waiting for its turn on the device"]
    said = [stage_text(status.stage)] if status.stage else []
    number = bytes_size if status.stage == DOWNLOAD else count
    if status.total:
        said.append(f"{number(status.done)} of {number(status.total)} ({percent(entry.share, 0)})")
    elif status.done:
        said.append(f"{number(status.done)} so far")
    if status.remaining_seconds is not None:
        said.append(f"{duration(status.remaining_seconds)} left in this stage")
    return said or ["running"]


def remove_button(entry: TaskEntry) -> None:
    """Take a task that has ended off the list."""
    st.button("Dismiss", key=f"forget {entry.task.id}", type="tertiary", on_click=_forget, args=(entry.task.id,))


def _stop(task_id: str) -> None:
    _act(task_id, stop=True)


def _forget(task_id: str) -> None:
    _act(task_id, stop=False)


def _act(task_id: str, *, stop: bool) -> None:
    settings = Settings.from_environment()
    if settings.public:
        return
    try:
        if stop:
            flash.flash(stop_task(task_id, settings))
            move_on(settings)
        else:
            forget_task(task_id, settings)
    except MedQAError as error:
        flash.flash(str(error), bad=True)
