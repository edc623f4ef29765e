"""Writes the four write-ups of a run. The same folder gives the same bytes."""

from pathlib import Path

from medqa_core.foundation.files import write_text
from medqa_core.report import html, markdown, model_card, text
from medqa_core.report.facts import Facts
from medqa_core.runs.artifacts.manifest import discard_manifest, write_manifest
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import LIVE

RENDERERS = {
    "summary.txt": text.render,
    "summary.md": markdown.render,
    "summary.html": html.render,
    "README.md": model_card.render,
}


def write(run: Run) -> list[Path]:
    """Write them, each atomically, then the manifest of the whole folder; return the write-ups' paths.

    A run that is being worked on gets no manifest: its files are about to change.

    Raises:
        OSError: the disk is full or cannot be written; each file is the old one or the new one.
    """
    facts = Facts.of(run)
    rendered = {run.folder / name: render(facts) for name, render in RENDERERS.items()}
    if any(facts.run.write_up(path.name) != content for path, content in rendered.items()):
        discard_manifest(run.folder)  # should the disk have no room for all of them, none must be called damaged
    for path, content in rendered.items():
        write_text(path, content)
    discard_manifest(run.folder) if run.state() in LIVE else write_manifest(run.folder)
    return list(rendered)
