"""The write-up on the page: its sections, and each of its files as a download."""

from collections.abc import Callable
from html import escape

import streamlit as st

from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.format import number
from medqa_core.foundation.settings import Settings
from medqa_core.report.archive import archive, weights_size
from medqa_core.report.document.model import Document, Section
from medqa_core.report.writer import FORMATS, Format
from medqa_core.runs.run import Run
from pages.shared.document import block
from pages.shared.markup import html, note

LARGEST = 50_000_000
"""Bytes of weights up to which they are part of the ZIP: it is made in memory, for any visitor."""


def downloads(run: Run) -> None:
    """A button a file, and one for all. A file on disk is given as it is; a missing one is written when asked for."""
    weights = weights_size(run) <= LARGEST
    st.header("Download report", anchor=False)
    with st.container(horizontal=True, gap="small"):
        for name, made in FORMATS.items():
            st.download_button(
                made.label,
                data=_content(run, name, made),
                file_name=f"{run.id}-{name}",
                mime=made.mime,
                key=f"download-{name}",
                icon=":material/download:",
                on_click="ignore",
            )
        st.download_button(
            "Everything, one ZIP",
            data=lambda: everything(run, weights=weights),
            file_name=f"{run.id}.zip",
            mime="application/zip",
            key="download-zip",
            icon=":material/folder_zip:",
            on_click="ignore",
        )
    if not weights:
        note(
            f"The ZIP leaves the weights out, {number(weights_size(run) / 1e6, 0)} MB. With them: "
            f"`{PROGRAM} report {run.id} --zip {run.id}.zip`."
        )


def everything(run: Run, *, weights: bool) -> bytes:
    """The ZIP; for a demo's visitor without what is the host's own."""
    return archive(run, weights, private=not Settings.from_environment().public)


def sections(document: Document) -> None:
    """The full report; each section opens by itself."""
    st.header("Full report", anchor=False)
    html("".join(_section(section) for section in document.sections))


def _section(section: Section) -> str:
    body = "".join(block(one, title=section.title) for one in section.blocks)
    return f'<details class="mq-part"><summary>{escape(section.title)}</summary>{body}</details>'


def _content(run: Run, name: str, made: Format) -> Callable[[], str]:
    return lambda: run.write_up(name) or made.render(run)
