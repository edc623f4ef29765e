"""Ask: what do both models answer to your question?"""

import importlib
from urllib.parse import urlencode

import streamlit as st

from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.settings import Settings
from medqa_core.runs.artifacts.int8 import read_int8
from medqa_core.runs.snapshot import RunSnapshot
from medqa_core.runs.store.run_store import answerable
from pages.ask.availability import widget_blocked
from pages.shared import live, notices, run_picker, tasks, theme
from pages.shared.markup import escape_markdown, html, note, rich
from pages.shared.store import listed, store

NOTE = (
    "A research demo, not medical advice: both models are small and make things up. "
    "For your health ask a clinician; in an emergency call your local emergency number."
)

run = run_picker.opened()
note(NOTE)


def widget() -> None:
    """The question-and-answer widget, which the server builds when it is first opened.

    `embedded` tells it to leave the note to this page and to fit its frame's height to itself.
    """
    query = urlencode({"run": run.id, "__theme": theme.mode(), "embedded": 1})
    with st.container(key="widget"):
        st.iframe(f"/qa/?{query}", alt="Ask both models: question, settings and both answers")


def native() -> None:
    """The comparison without the widget, and why."""
    note(
        "The question widget cannot be reached from your browser: this host does not forward `/qa/`. Both models "
        "answer here all the same; the blind vote, follow-ups and the API need the widget."
    )
    importlib.import_module("pages.ask.native").comparison(run.id)


def no_model(snapshot: RunSnapshot) -> None:
    """Why this run cannot answer, and which can."""
    why = (
        "It was imported: the source has metrics, but no model."
        if snapshot.imported
        else "Its fine-tuned model has not been saved yet."
        if snapshot.in_progress
        else "Its folder holds neither an adapter nor a fine-tuned model."
    )
    notices.notice("This run cannot answer.", why)
    able = answerable(store(), listed())
    if able:
        html("<p>These can:</p>")
        for other in able[:20]:
            label = f"Ask {escape_markdown(other.label)}"
            st.button(label, key=f"ask-{other.id}", on_click=run_picker.choose, args=(other.id,))
    else:
        html(f"<p>{rich('No run in the store can. A first one takes about ten minutes:')}</p>")
        st.code(f"{PROGRAM} train --preset starter", language=None)
        if not Settings.from_environment().public:
            st.page_link("fine_tune/fine_tune.py", label="Start it on Fine-tune", icon=":material/arrow_forward:")


if run.record.base_model is not None and run.weights_file() is not None:
    if widget_blocked():
        native()
    else:
        widget()
    if read_int8(run.folder).value is None:
        tasks.offer("int8", run.id)
else:
    live.follow(run, no_model)
