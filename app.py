"""MedQA Lab: Streamlit pages and the question widget on one port. Start it with `streamlit run app.py`."""

import importlib
from typing import TYPE_CHECKING, cast

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Mount

from pages.parts.guard import Guard
from pages.parts.lazy_mount import LazyMount
from pages.parts.states import page_failed

if TYPE_CHECKING:
    from starlette.applications import Starlette


def build_widget() -> "Starlette":
    """Import gradio and the models' code, which takes seconds, and build the widget."""
    return cast("Starlette", importlib.import_module("pages.ask_widget").build())


widget = LazyMount(build_widget)
app = st.App(
    "pages/main.py",
    routes=[Mount("/qa", app=widget)],
    middleware=[Middleware(Guard)],
    lifespan=widget.lifespan,
    on_script_error=page_failed,
)
