"""The write-up as plain text: UTF-8, at most 80 columns, headings in capitals."""

import textwrap

from medqa_core.report.blocks import FIELDS, Block, Table
from medqa_core.report.facts import Facts
from medqa_core.report.writeup import sections, title, top
from medqa_core.runs.run import Run

WIDTH = 80
INDENT = "   "
LONG = 40
RULE = "=" * WIDTH


def render(run: Run | Facts) -> str:
    """The whole write-up."""
    facts = Facts.of(run)
    heading = [line.center(WIDTH).rstrip() for line in textwrap.wrap(title(facts), WIDTH - 4)]
    lines = [RULE, *heading, RULE, ""]
    for block in top(facts):
        lines += [*_block(block), ""]
    for section in sections(facts):
        lines += [f"{section.title.upper()}:", ""]
        for block in section.blocks:
            lines += [*_block(block), ""]
    end = [line.center(WIDTH).rstrip() for line in textwrap.wrap(f"END · {title(facts)}", WIDTH - 4)]
    return "\n".join([*lines, RULE, *end, RULE]) + "\n"


def _block(block: Block) -> list[str]:
    if isinstance(block, str):
        return _wrapped(block, INDENT, INDENT)
    if isinstance(block, list):
        return [line for item in block for line in _wrapped(item, INDENT + "• ", INDENT + "  ")]
    return _table(block)


def _table(table: Table) -> list[str]:
    if table.header == FIELDS:
        return [line for label, value in table.rows for line in _wrapped(f"{label}: {value}", INDENT, INDENT * 2)]
    rows = [table.header, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.header))]
    if len(INDENT) + sum(widths) + 2 * (len(widths) - 1) > WIDTH:
        return _records(table)
    aligned = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines = [(INDENT + line).rstrip() for line in aligned]
    return [lines[0], INDENT + "-" * (sum(widths) + 2 * (len(widths) - 1)), *lines[1:]]


def _records(table: Table) -> list[str]:
    """A table too wide for the page: each row as a sentence, or as a small list where its cells are long."""
    if all(len(cell) <= LONG for row in table.rows for cell in row):
        names = [name[:1].lower() + name[1:] if name[1:2].islower() else name for name in table.header]
        items = [(row[0], [f"{n} {c}" for n, c in zip(names[1:], row[1:], strict=True) if c]) for row in table.rows]
        rows = [f"{first}: {'; '.join(rest)}" if rest else first for first, rest in items]
        return [line for row in rows for line in _wrapped(row, INDENT, INDENT * 2)]
    lines = []
    for row in table.rows:
        lines += _wrapped(row[0] or "–", INDENT, INDENT * 2)
        for label, value in list(zip(table.header, row, strict=True))[1:]:
            if value:
                lines += _wrapped(f"{label}: {value}", INDENT * 2, INDENT * 3)
    return lines


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False) or [first]
