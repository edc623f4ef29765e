"""The write-up as Markdown. Everything from the run is escaped: a hostile title stays a title."""

import re
from functools import cache

from jinja2 import Environment

from medqa_core.report.document.write_up import write_up
from medqa_core.report.facts import Facts
from medqa_core.report.templates.environment import code_spans, environment
from medqa_core.runs.run import Run

_ALWAYS = re.compile(r"([\\`*_{}\[\]|~$^])")
_ADDRESS = re.compile(r"(?i)(?<=www)\.|@|:(?=[a-z_/+\-])|(?<!\w):(?=\w)")
_START = re.compile(r"^(\d{1,9}(?=[.)])|(?=[#+=-]))")
"""Where a backslash goes so that a line opens no heading, list or rule."""


def render(run: Run | Facts) -> str:
    """The full report."""
    return markdown_environment().get_template("report.md.j2").render(document=write_up(run))


def escape(text: str, *, opens: bool = True) -> str:
    """Text that shows as it is: no markup, no HTML, no link, no formula, no emoji code.

    `opens`: it stands at the start of a line, where a number or a sign could open a list or a heading.
    """
    flat = " ".join(text.split())
    safe = "".join(f"`{piece}`" if is_code else _escape(piece) for piece, is_code in code_spans(flat))
    return _START.sub(r"\1\\", safe) if opens else safe


@cache
def markdown_environment() -> Environment:
    """The templates with the filter `md`, which escapes, and `inline`, the same in the middle of a line."""
    made = environment().overlay()
    made.filters = {**made.filters, "md": escape, "inline": lambda text: escape(text, opens=False)}
    return made


def _escape(text: str) -> str:
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _ADDRESS.sub(r"\\\g<0>", _ALWAYS.sub(r"\\\1", safe))
