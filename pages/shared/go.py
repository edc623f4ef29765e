"""Going to another page from a button: its callback says where to, and what is drawn after it goes."""

import streamlit as st

KEY = "go to"


def to(page: str) -> None:
    """Have the next drawing go to this page (`summary/summary.py`); for a button's callback."""
    st.session_state[KEY] = page


def now() -> None:
    """Go where a callback said; nothing where none did.

    The address begins anew: what is in it is bound to the widgets of this page, and those of the next one put theirs
    there from the session.
    """
    page = st.session_state.pop(KEY, None)
    if page is not None:
        st.switch_page(page, query_params={})
