"""Writes the four write-ups of a run. The same folder gives the same bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from medqa_core.foundation.files import write_text
from medqa_core.report.facts import Facts
from medqa_core.report.templates import html, markdown, model_card, text
from medqa_core.runs.artifacts.manifest import discard_manifest, write_manifest
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import LIVE


class Format(NamedTuple):
    """A file that the write-up is written as."""

    label: str
    mime: str
    render: Callable[[Run | Facts], str]


FORMATS = {
    "summary.txt": Format("Text", "text/plain", text.render),
    "summary.md": Format("Markdown", "text/markdown", markdown.render),
    "summary.html": Format("HTML, one page", "text/html", html.render),
    "README.md": Format("Model card", "text/markdown", model_card.render),
}
"""By the name of the file."""


def rendered(run: Run) -> dict[str, str]:
    """Every write-up by the name of its file, from one reading of the run."""
    facts = Facts.of(run)
    return {name: one.render(facts) for name, one in FORMATS.items()}


def write(run: Run) -> list[Path]:
    """Write them, each atomically, then the manifest of the whole folder; return the write-ups' paths.

    A run that is being worked on gets no manifest: its files are about to change.

    Raises:
        OSError: the disk is full or cannot be written; each file is the old one or the new one.
    """
    made = rendered(run)
    if any(run.write_up(name) != content for name, content in made.items()):
        discard_manifest(run.folder)  # should the disk have no room for all of them, none must be called damaged
    for name, content in made.items():
        write_text(run.folder / name, content)
    discard_manifest(run.folder) if run.state() in LIVE else write_manifest(run.folder)
    return [run.folder / name for name in made]
