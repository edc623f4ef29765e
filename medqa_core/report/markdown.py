"""The write-up as Markdown. Everything from the run is escaped: a hostile title stays a title."""

import re

from medqa_core.report.blocks import Block, Table
from medqa_core.report.facts import Facts
from medqa_core.report.writeup import sections, title, top
from medqa_core.runs.run import Run

_ALWAYS = re.compile(r"([\\`*_{}\[\]|~$^])")
_ADDRESS = re.compile(r"(?i)(?<=www)\.|@|:(?=[a-z_/+\-])|(?<!\w):(?=\w)")
_START = re.compile(r"^(\d{1,9}(?=[.)])|(?=[#+=-]))")
"""Where a backslash goes so that a line opens no heading, list or rule."""
COMMAND = re.compile(r"`(python -m medqa_core(?: [A-Za-z0-9][A-Za-z0-9._=-]*){0,6})`|`([a-z0-9-]{1,40})`")
"""What our own sentences put in backticks; nothing that a run could use to get out of a code span."""


def render(run: Run | Facts) -> str:
    """The whole write-up."""
    facts = Facts.of(run)
    return "\n\n".join([f"# {escape(title(facts))}", body(facts)]) + "\n"


def body(facts: Facts) -> str:
    """The write-up without its title."""
    parts = [_block(block) for block in top(facts)]
    for section in sections(facts):
        parts += [f"## {escape(section.title)}", *(_block(block) for block in section.blocks)]
    return "\n\n".join(parts)


def escape(text: str, *, opens: bool = True) -> str:
    """Text that shows as it is: no markup, no HTML, no link, no formula, no emoji code.

    `opens`: it stands at the start of a line, where a number or a sign could open a list or a heading.
    """
    flat, pieces, at = " ".join(text.split()), [], 0
    for found in COMMAND.finditer(flat):
        pieces += [_escape(flat[at : found.start()]), found.group(0)]
        at = found.end()
    safe = "".join([*pieces, _escape(flat[at:])])
    return _START.sub(r"\1\\", safe) if opens else safe


def _escape(text: str) -> str:
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _ADDRESS.sub(r"\\\g<0>", _ALWAYS.sub(r"\\\1", safe))


def _block(block: Block) -> str:
    if isinstance(block, str):
        return escape(block)
    if isinstance(block, list):
        return "\n".join(f"- {escape(item)}" for item in block)
    return _table(block)


def _table(table: Table) -> str:
    lines = [_line(table.header), _line(("---",) * len(table.header), raw=True)]
    return "\n".join([*lines, *(_line(row) for row in table.rows)])


def _line(cells: tuple[str, ...], *, raw: bool = False) -> str:
    return f"| {' | '.join(cell if raw else escape(cell, opens=False) for cell in cells)} |"
