"""MedQA Lab: Streamlit pages, the question widget and a chat API on one port. Start it with `streamlit run app.py`."""

import importlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Mount, Route

from pages.web.addresses import DRAWER, SERVER, first_page
from pages.web.ending import at_the_end
from pages.web.failed import page_failed
from pages.web.host_guard import Guard
from pages.web.lazy_mount import LazyMount
from pages.web.own_files import OwnFiles, preloaded
from pages.web.private_only import PrivateOnly
from pages.web.shell import Shell

PARTS = ("Html", "purify.es", "Selectbox")
"""Of Streamlit's scripts, those that every page of ours draws its first elements with."""

if TYPE_CHECKING:
    from starlette.applications import Starlette


def build_widget() -> "Starlette":
    """Import gradio and the models' code, which takes seconds, and build the widget."""
    return cast("Starlette", importlib.import_module("pages.ask.widget").build())


def build_chat() -> "Starlette":
    """Import the models' code and build OpenAI's chat completions."""
    return cast("Starlette", importlib.import_module("pages.ask.chat_completions").build())


def import_pages() -> None:
    """What every page begins with, imported while the browser loads Streamlit's own parts.

    No more than that: what a page draws with (pandas, Arrow) would keep the server from answering for those parts, and
    is imported when the heading is out.
    """
    for name in ("pages.shared.run_picker", "pages.shared.theme"):
        importlib.import_module(name)


def in_shell() -> str:
    """Where the server is, the style sheet and what the first drawing needs, for the HTML of every page."""
    theme = importlib.import_module("pages.shared.theme")
    return f"{SERVER}{DRAWER}{preloaded(PARTS)}{theme.in_shell()}"


@asynccontextmanager
async def lifespan(parent: Any) -> AsyncIterator[None]:
    """From the server's start to its end."""
    threading.Thread(target=import_pages, name="import-pages", daemon=True).start()
    async with widget.lifespan(parent), chat.lifespan(parent):
        with at_the_end(widget.end):
            yield


widget = LazyMount(build_widget)
chat = LazyMount(build_chat, "The chat API")
app = st.App(
    "pages/main.py",
    routes=[Mount("/qa", app=widget), Mount("/v1", app=PrivateOnly(chat)), Route("/summary", first_page)],
    middleware=[Middleware(Guard), Middleware(OwnFiles), Middleware(Shell, more=in_shell)],
    lifespan=lifespan,
    on_script_error=page_failed,
)
