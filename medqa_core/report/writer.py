"""Writes the four write-ups of a run. The same folder gives the same bytes."""

from pathlib import Path

from medqa_core.foundation.files import write_text
from medqa_core.report import html, markdown, model_card, text
from medqa_core.report.facts import Facts
from medqa_core.runs.manifest import write_manifest
from medqa_core.runs.store import Run

RENDERERS = {
    "summary.txt": text.render,
    "summary.md": markdown.render,
    "summary.html": html.render,
    "README.md": model_card.render,
}


def write(run: Run) -> list[Path]:
    """Write them, each atomically, then the manifest of the whole folder; return the write-ups' paths."""
    facts = Facts.of(run)
    rendered = {run.folder / name: render(facts) for name, render in RENDERERS.items()}
    for path, content in rendered.items():
        write_text(path, content)
    write_manifest(run.folder)
    return list(rendered)
