"""The write-up on the page: its sections, and each of its files as a download."""

from collections.abc import Callable
from html import escape

import streamlit as st

import medqa_core.report.html as html_report
from medqa_core.foundation.format import number
from medqa_core.foundation.settings import Settings
from medqa_core.report import markdown, text
from medqa_core.report.archive import archive, weights_size
from medqa_core.report.facts import Facts
from medqa_core.report.model_card import render as model_card
from medqa_core.report.writeup import Section, Table
from medqa_core.report.writeup import sections as written
from medqa_core.runs.run import Run
from pages.shared import tables
from pages.shared.markup import bullets, html, note, rich

FILES: dict[str, tuple[str, str, Callable[[Run], str]]] = {
    "summary.txt": ("Text", "text/plain", text.render),
    "summary.md": ("Markdown", "text/markdown", markdown.render),
    "summary.html": ("HTML, one page", "text/html", html_report.render),
    "README.md": ("Model card", "text/markdown", model_card),
}


LARGEST = 50_000_000
"""Bytes of weights up to which they are part of the ZIP: it is made in memory, for any visitor."""


def downloads(run: Run) -> None:
    """A button a file, and one for all. A file on disk is given as it is; a missing one is written when asked for."""
    weights = weights_size(run) <= LARGEST
    st.header("Take it with you", anchor=False)
    with st.container(horizontal=True, gap="small"):
        for name, (label, mime, render) in FILES.items():
            st.download_button(
                label,
                data=_content(run, name, render),
                file_name=f"{run.id}-{name}",
                mime=mime,
                key=f"download-{name}",
                icon=":material/download:",
                on_click="ignore",
            )
        st.download_button(
            "Everything, one ZIP",
            data=lambda: archive(run, weights, log=not Settings.from_environment().public),
            file_name=f"{run.id}.zip",
            mime="application/zip",
            key="download-zip",
            icon=":material/folder_zip:",
            on_click="ignore",
        )
    if not weights:
        note(
            f"The ZIP leaves the weights out, {number(weights_size(run) / 1e6, 0)} MB. With them: "
            f"`python -m medqa_core report {run.id} --zip {run.id}.zip`."
        )


def sections(facts: Facts) -> None:
    """The whole write-up; each section opens by itself."""
    st.header("The whole write-up", anchor=False)
    html("".join(_section(section) for section in written(facts)))


def _section(section: Section) -> str:
    parts = []
    for block in section.blocks:
        if isinstance(block, Table):
            columns = [tables.Column(title) for title in block.header]
            parts.append(tables.markup(columns, block.rows, caption=section.title))
        elif isinstance(block, str):
            parts.append(f"<p>{rich(block)}</p>")
        else:
            parts.append(bullets(block))
    return f'<details class="mq-part"><summary>{escape(section.title)}</summary>{"".join(parts)}</details>'


def _content(run: Run, name: str, render: Callable[[Run], str]) -> Callable[[], str]:
    return lambda: run.write_up(name) or render(run)
