"""The way to where runs are imported, from pages that miss one."""

import streamlit as st

from medqa_core.foundation.settings import Settings


def to_import() -> None:
    """A link to the form on Runs; nothing in a public demo."""
    if not Settings.from_environment().public:
        st.page_link("runs/runs.py", label="Import a run", icon=":material/arrow_forward:")
