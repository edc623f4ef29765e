"""The write-up on the page: its sections, and each of its files as a download."""

from collections.abc import Callable

import streamlit as st

from medqa_core.report import html as html_report
from medqa_core.report import markdown, model_card, text
from medqa_core.report.writeup import Table
from medqa_core.report.writeup import sections as written
from medqa_core.runs.store import Run
from pages.parts import tables
from pages.parts.markup import bullets, html, rich

FILES: dict[str, tuple[str, str, Callable[[Run], str]]] = {
    "summary.txt": ("Text", "text/plain", text.render),
    "summary.md": ("Markdown", "text/markdown", markdown.render),
    "summary.html": ("HTML, one page", "text/html", html_report.render),
    "README.md": ("Model card", "text/markdown", model_card.render),
}


def downloads(run: Run) -> None:
    """A button a file. The file on disk is given as it is; one that is missing is written now."""
    st.subheader("Take it with you", anchor=False)
    with st.container(horizontal=True, gap="small"):
        for name, (label, mime, render) in FILES.items():
            st.download_button(
                label,
                data=_content(run, name, render),
                file_name=f"{run.id}-{name}",
                mime=mime,
                key=f"download-{name}",
                on_click="ignore",
            )


def sections(run: Run) -> None:
    """The whole write-up, section by section."""
    for section in written(run):
        with st.expander(section.title):
            for block in section.blocks:
                if isinstance(block, Table):
                    columns = [tables.Column(str(title)) for title in block.header]
                    rows = [[str(cell) for cell in row] for row in block.rows]
                    tables.table(columns, rows, caption=section.title)
                elif isinstance(block, str):
                    html(f"<p>{rich(block)}</p>")
                else:
                    html(bullets(block))


def _content(run: Run, name: str, render: Callable[[Run], str]) -> Callable[[], str]:
    return lambda: run.write_up(name) or render(run)
