"""What a visitor sees where a page has a fault. Imports next to nothing: the server waits for it at its start."""

import logging

import streamlit as st


def page_failed(error: Exception) -> bool:
    """Say so on the page; the traceback is in the log."""
    logging.getLogger("medqa.pages").error("A page could not be drawn.", exc_info=error)
    st.error(
        "This page could not be drawn. Your runs are untouched. Reload it; if that does not help, "
        "the server's log says what happened."
    )
    return True
