"""Importing a run from a path of this machine, as a task of the queue."""

import streamlit as st

from medqa_core.foundation.settings import Settings
from pages.shared import tasks
from pages.shared.flash import flash
from pages.shared.markup import note


def draw() -> None:
    """The form."""
    with st.expander("Import a run", key="import-run"):
        note(
            "A Trainer's output folder or trainer_state.json, results of lm-evaluation-harness, or a summary text. "
            "What is read is copied into the run store; nothing is executed."
        )
        path = st.text_input("Path on this machine", key="import-path", placeholder="/home/me/outputs/my-run")
        title = st.text_input("Title", key="import-title", max_chars=120, placeholder="taken from the source")
        st.button("Import", key="import", disabled=not path.strip(), on_click=_import, args=(path, title))


def _import(path: str, title: str) -> None:
    if Settings.from_environment().public:
        return
    if not path.strip():
        flash("Not started. Name a file or a folder first.", bad=True)
        return
    tasks.queue("import", None, {"path": path.strip(), **({"title": title.strip()} if title.strip() else {})})
    st.session_state["import-path"] = st.session_state["import-title"] = ""
