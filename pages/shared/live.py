"""Pages that follow a run: one snapshot a drawing, handed to whatever is drawn, and a new one every few seconds."""

from collections.abc import Callable

import streamlit as st

from medqa_core.foundation.settings import Settings
from medqa_core.jobs import watch
from medqa_core.runs.run import Run
from medqa_core.runs.snapshot import RunSnapshot
from pages.shared import queue
from pages.shared.standing import standing

EVERY_SECONDS = 3.0


def observe(run: Run) -> RunSnapshot:
    """The run as it is now and what goes on with it. Files that have not changed are not read again."""
    return watch.observe(run, Settings.from_environment())


def follow(run: Run, body: Callable[[RunSnapshot], None]) -> RunSnapshot:
    """How the run stands and below it `body`; the snapshot that both were drawn from.

    While something goes on with the run both are drawn again every few seconds, each time from a snapshot of its own,
    and the whole page once it has ended.
    """
    first = observe(run)
    if not first.in_progress:
        _draw(first, body)
        return first
    taken = [first]  # for the first drawing, which is a part of the page's

    @st.fragment(run_every=EVERY_SECONDS)
    def refreshing() -> None:
        now = taken.pop() if taken else observe(run)
        if now.state == "queued":
            queue.move_on(Settings.from_environment())
            now = observe(run)
        if not now.in_progress:
            st.rerun()
        _draw(now, body)

    refreshing()
    return first


def _draw(snapshot: RunSnapshot, body: Callable[[RunSnapshot], None]) -> None:
    standing(snapshot)
    body(snapshot)
