"""The write-up as plain text: UTF-8, at most 80 columns, headings in capitals."""

import textwrap
from functools import cache

from jinja2 import Template

from medqa_core.report.document.model import Table
from medqa_core.report.document.write_up import write_up
from medqa_core.report.facts import Facts
from medqa_core.report.templates.environment import environment
from medqa_core.runs.run import Run

WIDTH = 80
INDENT = "   "
LONG = 40


def render(run: Run | Facts) -> str:
    """The full report."""
    return _template().render(document=write_up(run), rule="=" * WIDTH)


def centred(text: str) -> str:
    """Lines in the middle of the page."""
    return "\n".join(line.center(WIDTH).rstrip() for line in textwrap.wrap(text, WIDTH - 4))


def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """Lines of a paragraph, indented; `first` and `rest` stand before its first line and before the others."""
    return "\n".join(_lines(text, INDENT + first, INDENT + rest))


def grid(table: Table) -> str:
    """A table in aligned columns; where it is too wide for the page, a line or a small list a row."""
    if table.fields:
        lines = [line for name, value in table.texts for line in _lines(f"{name}: {value}", INDENT, INDENT * 2)]
        return "\n".join(lines)
    rows = [table.titles, *table.texts]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.titles))]
    whole = sum(widths) + 2 * (len(widths) - 1)
    if len(INDENT) + whole > WIDTH:
        return "\n".join(_records(table))
    aligned = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines = [(INDENT + line).rstrip() for line in aligned]
    return "\n".join([lines[0], INDENT + "-" * whole, *lines[1:]])


@cache
def _template() -> Template:
    made = environment().overlay()
    made.filters = {**made.filters, "centred": centred, "wrapped": wrapped, "grid": grid}
    return made.get_template("report.txt.j2")


def _records(table: Table) -> list[str]:
    """A table too wide for the page: each row as a sentence, or as a small list where its cells are long."""
    if all(len(cell) <= LONG for row in table.texts for cell in row):
        names = [name[:1].lower() + name[1:] if name[1:2].islower() else name for name in table.titles]
        items = [(row[0], [f"{n} {c}" for n, c in zip(names[1:], row[1:], strict=True) if c]) for row in table.texts]
        rows = [f"{first}: {'; '.join(rest)}" if rest else first for first, rest in items]
        return [line for row in rows for line in _lines(row, INDENT, INDENT * 2)]
    lines = []
    for row in table.texts:
        lines += _lines(row[0] or "–", INDENT, INDENT * 2)
        for title, value in list(zip(table.titles, row, strict=True))[1:]:
            if value:
                lines += _lines(f"{title}: {value}", INDENT * 2, INDENT * 3)
    return lines


def _lines(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False) or [first]
