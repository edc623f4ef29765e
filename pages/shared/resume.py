"""The button that puts a run back into the queue, to go on from its last checkpoint."""

import streamlit as st

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.queue import enqueue
from medqa_core.runs.run import Run
from pages.shared.flash import flash
from pages.shared.queue import start_next
from pages.shared.store import store


def resume_button(run: Run) -> None:
    """Resume a run that ended early; nothing in a public demo."""
    if not Settings.from_environment().public:
        st.button("Resume", key=f"resume {run.id}", type="primary", on_click=_resume, args=(run.id,))


def _resume(run_id: str) -> None:
    settings = Settings.from_environment()
    if settings.public:
        return
    try:
        enqueue(store().open(run_id), settings)
    except MedQAError as error:
        flash(str(error), bad=True)
    else:
        start_next(settings)
