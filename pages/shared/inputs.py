"""Inputs whose values the page itself sets, as a preset's in a form, or ticks that are taken away."""

from collections import Counter
from typing import Any

import streamlit as st

SETTINGS = "inputs set by the page"
"""The session's key of how often the page has set each input."""


def key(name: str) -> str:
    """The session's key of an input; another one each time that `put` has set it."""
    return f"{name} {_settings()[name]}"


def put(name: str, value: Any) -> None:
    """Set an input's value before it is drawn: in a button's callback, or at a visit's start.

    It becomes a new input. With whatever is typed or pressed, a browser sends the values of all its inputs, those of
    before for the ones that it has not drawn again yet. Sent for an input that is gone, they count for nothing, and so
    does what was typed into it: the new one shows what holds.
    """
    st.session_state.pop(key(name), None)
    _settings()[name] += 1
    st.session_state[key(name)] = value


def _settings() -> Counter[str]:
    found: Counter[str] = st.session_state.setdefault(SETTINGS, Counter())
    return found
