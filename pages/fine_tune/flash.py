"""What a button came to, kept until the page is drawn again: a callback itself cannot draw."""

from typing import NamedTuple

import streamlit as st

from pages.shared import notices

KEY = "fine-tune said"


class Said(NamedTuple):
    """A sentence, and whether it is bad news."""

    sentence: str
    bad: bool = False


def say(sentence: str, *, bad: bool = False) -> None:
    """Have a sentence shown at the next drawing; for a button's callback."""
    st.session_state[KEY] = Said(sentence, bad)


def taken() -> Said | None:
    """What was said since the last drawing."""
    value = st.session_state.pop(KEY, None)
    return value if isinstance(value, Said) else None


def show(said: Said | None) -> None:
    """Show it, if there is something."""
    if said is not None:
        notices.notice(said.sentence, bad=said.bad)
