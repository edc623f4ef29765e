"""A message from a button's callback, kept until the page is drawn again: a callback itself cannot draw."""

from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from pages.shared import notices

KEY = "flash"


class Flash(NamedTuple):
    """A message to show once."""

    message: str
    bad: bool = False


def flash(message: str, *, bad: bool = False) -> None:
    """Have a message shown at the next drawing; for a button's callback."""
    st.session_state[KEY] = Flash(message, bad)


def take() -> Flash | None:
    """The message since the last drawing, which is forgotten."""
    value = st.session_state.pop(KEY, None)
    return value if isinstance(value, Flash) else None


def kept() -> Callable[[], None]:
    """What shows the last message in a part of the page that is drawn again by itself, where callbacks leave some too.

    The message stays until the whole page is drawn again: the part alone is drawn every few seconds.
    """
    last: Flash | None = None

    def show_last() -> None:
        nonlocal last
        last = take() or last
        show(last)

    return show_last


def show(message: Flash | None) -> None:
    """Show it, if there is one."""
    if message is not None:
        notices.notice(message.message, bad=message.bad)
