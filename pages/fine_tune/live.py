"""Live: the run in progress and the queue behind it, drawn again every few seconds while there is something."""

from collections.abc import Sequence

import streamlit as st

from medqa_core.foundation.format import count, duration, percent, plural
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import watch
from medqa_core.jobs.queue import Entry
from medqa_core.jobs.watch import Current, QueueSnapshot
from pages.fine_tune import run
from pages.shared import flash
from pages.shared.live import EVERY_SECONDS
from pages.shared.markup import answer, escape_markdown, html
from pages.shared.queue import move_on


def draw(settings: Settings) -> QueueSnapshot:
    """The run in progress and the queue, below one sentence about them. Returns the queue as it was drawn."""
    queue, said = look(settings), flash.kept()
    if queue.idle:
        answer(in_words(queue))
        said()
        return queue

    @st.fragment(run_every=EVERY_SECONDS)
    def refreshing() -> None:
        now = look(settings)
        if shape(now) != shape(queue):
            st.rerun()  # the rest of the page depends on it
        answer(in_words(now))
        said()
        for current in now.current:
            run.during(current, public=settings.public)
        _queue(now.waiting, public=settings.public)

    refreshing()
    return queue


def look(settings: Settings) -> QueueSnapshot:
    """The queue, after the next run was started where the device is free."""
    move_on(settings)
    return watch.look(settings)


def shape(queue: QueueSnapshot) -> tuple[object, ...]:
    """What, if it changes, changes more of the page than the live part: the runs and their states."""
    return tuple((c.run.id, c.activity) for c in queue.current), tuple(e.run.id for e in queue.waiting)


def in_words(queue: QueueSnapshot) -> str:
    """What is running, in a sentence."""
    waiting = f" {plural(len(queue.waiting), 'run waits', 'runs wait')} behind it." if queue.waiting else ""
    if queue.current:
        return " ".join(_sentence(current) for current in queue.current) + waiting
    if queue.waiting:
        busy = f" The device is busy {queue.other}." if queue.other else ""
        return f"{plural(len(queue.waiting), 'run waits', 'runs wait')} in the queue.{busy}"
    return f"No fine-tune is running; the device is busy {queue.other}." if queue.other else "Nothing is running."


def _sentence(current: Current) -> str:
    status, title = current.status, current.run.record.title
    if current.activity == "evaluating":
        return f"{title} is trained; base and fine-tuned model are being evaluated on the test questions."
    if current.activity == "starting":
        return f"{title} is starting: its model and data are being loaded."
    if current.activity == "stalled":
        return f"{title} is stalled at step {count(status.step)}."
    if current.activity == "stopping":
        return f"{title} is stopping and saving a checkpoint."
    if current.share is None:
        return f"{title}: {status.stage or 'getting ready'}."
    left = status.remaining_seconds
    ending = f", {duration(left)} left" if left is not None else ""
    return f"{title}: step {count(status.step)} of {count(status.total_steps)}, {percent(current.share, 0)}{ending}."


def _queue(waiting: Sequence[Entry], *, public: bool) -> None:
    if not waiting:
        return
    html("<h2>Queue</h2>")
    for place, entry in enumerate(waiting, 1):
        left, right = st.columns([5, 1], vertical_alignment="center")
        with left:
            line = run.setting_line(entry.run, public=public)
            st.markdown(f"{place}\\. **{escape_markdown(entry.run.id)}** · {escape_markdown(line)}")
        if not public:
            with right:
                run.remove_button(entry.run)
