"""Settings of a run on their way to Fine-tune's form: no page imports another one, so this is where they meet."""

import streamlit as st

from medqa_core.runs.schema.config import READING_VERSION, SPLIT_VERSION, TrainConfig
from pages.shared import go

KEY = "settings to reuse"


def hand_over(config: TrainConfig) -> None:
    """Go to Fine-tune with its form filled with these settings; for a button's callback."""
    st.session_state[KEY] = for_a_new_run(config)
    go.to("fine_tune/fine_tune.py")


def for_a_new_run(config: TrainConfig) -> TrainConfig:
    """A run's settings with what is the run's own made the latest: what counts as shared, and how files are read."""
    return config.model_copy(update={"split_version": SPLIT_VERSION, "reading_version": READING_VERSION})


def taken() -> TrainConfig | None:
    """The settings that were handed over, which are forgotten; None where there are none."""
    value = st.session_state.pop(KEY, None)
    return value if isinstance(value, TrainConfig) else None
