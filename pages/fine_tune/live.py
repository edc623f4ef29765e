"""During: the run that is worked on and the queue behind it, drawn again every few seconds while there is something."""

import streamlit as st

from medqa_core.foundation.format import count, duration, percent, plural
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import watch
from medqa_core.jobs.queue import Entry
from medqa_core.jobs.watch import Current, QueueSnapshot
from pages.fine_tune import run
from pages.fine_tune.flash import show, taken
from pages.shared import notices
from pages.shared.markup import answer, escape_markdown, html


def draw(settings: Settings) -> QueueSnapshot:
    """Everything that goes on, with the page's answer above it. Returns what was there when it was drawn."""
    floor, said = look(settings), taken()
    if floor.idle:
        answer(in_words(floor))
        show(said)
        return floor

    @st.fragment(run_every=notices.EVERY_SECONDS)
    def refreshing() -> None:
        nonlocal said
        now = look(settings)
        if shape(now) != shape(floor):
            st.rerun()  # the rest of the page depends on it
        answer(in_words(now))
        said = taken() or said  # until the whole page is drawn again
        show(said)
        for current in now.current:
            run.during(current, public=settings.public)
        _queue(now.waiting, public=settings.public)

    refreshing()
    return floor


def look(settings: Settings) -> QueueSnapshot:
    """What goes on, after the queue had its chance to move on."""
    notices.move_queue_on(settings)
    return watch.look(settings)


def shape(floor: QueueSnapshot) -> tuple[object, ...]:
    """What, if it changes, changes more of the page than the live part."""
    return tuple((c.run.id, c.activity) for c in floor.current), tuple(e.run.id for e in floor.waiting)


def in_words(floor: QueueSnapshot) -> str:
    """The page's answer."""
    waiting = f" {plural(len(floor.waiting), 'run waits', 'runs wait')} behind it." if floor.waiting else ""
    if floor.current:
        return " ".join(_sentence(current) for current in floor.current) + waiting
    if floor.waiting:
        busy = " The device is busy with something else." if floor.foreign else ""
        return f"Nothing yet: {plural(len(floor.waiting), 'run waits', 'runs wait')} in the queue.{busy}"
    busy = "the device is busy with something else" if floor.foreign else "the device is free"
    return f"Nothing now: {busy}."


def _sentence(current: Current) -> str:
    status, title = current.status, current.run.record.title
    if current.activity == "evaluating":
        return f"{title} is trained; base and fine-tuned model are being measured on the test questions."
    if current.activity == "starting":
        return f"{title} is starting: its model and data are being loaded."
    if current.activity == "stalled":
        return f"{title} is stalled at step {count(status.step)}."
    if current.activity == "stopping":
        return f"{title} is stopping and saves a checkpoint first."
    if current.share is None:
        return f"{title}: {status.stage or 'getting ready'}."
    left = status.remaining_seconds
    ending = f", {duration(left)} left" if left is not None else ""
    return f"{title}: step {count(status.step)} of {count(status.total_steps)}, {percent(current.share, 0)}{ending}."


def _queue(waiting: list[Entry], *, public: bool) -> None:
    if not waiting:
        return
    html("<h2>Queue</h2>")
    for place, entry in enumerate(waiting, 1):
        left, right = st.columns([5, 1], vertical_alignment="center")
        with left:
            line = run.setting_line(entry.run)
            st.markdown(f"{place}\\. **{escape_markdown(entry.run.id)}** · {escape_markdown(line)}")
        if not public:
            with right:
                run.remove_button(entry.run)
