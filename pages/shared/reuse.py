"""Settings of a run on their way to Fine-tune's form: no page imports another one, so this is where they meet."""

import streamlit as st

from medqa_core.runs.schema.config import SPLIT_VERSION, TrainConfig
from pages.shared import go

KEY = "settings to reuse"


def hand_over(config: TrainConfig) -> None:
    """Go to Fine-tune with its form filled with these settings; for a button's callback.

    What counts as shared is the run's own; a new run takes the latest.
    """
    st.session_state[KEY] = config.model_copy(update={"split_version": SPLIT_VERSION})
    go.to("fine_tune/fine_tune.py")


def taken() -> TrainConfig | None:
    """The settings that were handed over, which are forgotten; None where there are none."""
    value = st.session_state.pop(KEY, None)
    return value if isinstance(value, TrainConfig) else None
