"""What a page says when there is nothing to show, or not yet: what is missing, why, what to do."""

from collections.abc import Iterable
from html import escape

import streamlit as st

from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import shorten
from medqa_core.foundation.settings import Settings
from medqa_core.runs.store.index import RunEntry
from pages.shared.markup import bullets, html, rich


def notice(title: str, *lines: str, command: str | None = None, bad: bool = False) -> None:
    """A designed message; `command` is shown so that it can be copied."""
    body = f'<p class="mq-strong">{escape(title)}</p>' + "".join(f"<p>{rich(line)}</p>" for line in lines if line)
    html(f'<div class="mq-notice{" mq-bad" if bad else ""}" role="status">{body}</div>')
    if command:
        st.code(command, language=None, wrap_lines=True)


def progress(title: str, share: float | None, words: Iterable[str]) -> None:
    """How far some work is: a bar of its `share`, 0 to 1, and the rest in words."""
    bar = f'<div class="mq-bar" aria-hidden="true"><i style="width:{(share or 0) * 100:.1f}%"></i></div>'
    html(
        f'<div class="mq-notice" role="status"><p class="mq-strong">{escape(title)}</p>{bar}'
        f'<p class="mq-muted">{escape(" · ".join(words))}</p></div>'
    )


def no_runs(folder: str) -> None:
    """An empty store."""
    notice(
        "No runs yet.",
        f"This page shows the runs in the run store, the folder `{folder}`, which is empty.",
        "A first fine-tune on the starter set takes about ten minutes on a laptop and downloads only the model:",
        command=f"{PROGRAM} train --preset starter",
    )
    if not Settings.from_environment().public:
        st.page_link("fine_tune/fine_tune.py", label="Start it on Fine-tune", icon=":material/arrow_forward:")


def unknown_run(asked: str, entries: list[RunEntry]) -> None:
    """The address asks for a run that is not there or cannot be opened."""
    entry = next((e for e in entries if e.id == asked), None)
    if entry is not None:
        notice("This run cannot be opened.", entry.problem or "", "Other runs are not affected.", bad=True)
    else:
        notice(f"No run called {shorten(asked)!r}.", "Choose another one under Run.", bad=True)
    there = [e for e in entries if e.state != "unreadable"]
    if there:
        html("<p>Available runs:</p>" + bullets(f"{e.label} ({e.state})" for e in there[:50]))


def problems(lines: tuple[str, ...] | list[str]) -> None:
    """What could not be read of a run that opens otherwise; nothing where there is nothing."""
    found = list(dict.fromkeys(lines))
    if found:
        notice("Part of this run could not be read.", *found[:10], "Everything else is shown.", bad=True)
