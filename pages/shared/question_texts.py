"""The texts behind a run's question ids, for the pages that show answers."""

from collections.abc import Sequence

import streamlit as st

from medqa_core.data import lookup
from medqa_core.data.pairs import QAPair
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run


def question_texts(run: Run) -> tuple[dict[str, QAPair] | None, str]:
    """The texts behind the run's question ids, or None and why they cannot be shown.

    The core reads a data set once a process; the spinner only shows while it does.
    """
    with st.spinner("Looking the question texts up."):
        return lookup.texts(run.record, Settings.from_environment())


def references(run: Run, questions: Sequence[QAPair]) -> dict[str, tuple[str, ...]]:
    """All reference answers of each question by its id, its own first."""
    found = lookup.references(run.record, Settings.from_environment(), questions)
    return {pair.id: known for pair, known in zip(questions, found, strict=True)}
