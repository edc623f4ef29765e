"""The texts behind a run's question ids."""

import streamlit as st

from medqa_core.data.lookup import texts
from medqa_core.data.pairs import QAPair
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run


def question_texts(run: Run) -> tuple[dict[str, QAPair] | None, str]:
    """The texts behind the run's question ids, or None and why they cannot be shown.

    The core reads a data set once a process; the spinner only shows while it does.
    """
    with st.spinner("Looking the question texts up."):
        return texts(run.record, Settings.from_environment())
