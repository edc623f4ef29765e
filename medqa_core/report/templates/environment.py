"""The one Jinja2 environment: templates lie beside this file, and HTML escapes whatever a template is given."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.format import NOT_STATED
from medqa_core.report.document.model import Bullets, Findings, Paragraph, Table
from medqa_core.report.wording.finding import evidence_text, finding_text
from medqa_core.report.wording.headline import NOTE, headline_text

_CODE = re.compile(rf"`({PROGRAM}(?: [A-Za-z0-9][A-Za-z0-9._=-]*){{0,6}})`|`([a-z0-9-]{{1,40}})`")
"""What our own sentences put in backticks; nothing that a run could use to get out of a code span."""


@cache
def environment() -> Environment:
    """The environment with what every format shares; each renderer adds its own filters to an overlay of it."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=lambda name: name is not None and Path(name).suffixes[:1] == [".html"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    kinds = {"paragraph": Paragraph, "bullets": Bullets, "findings": Findings, "table": Table}
    made.tests.update({name: _is(kind) for name, kind in kinds.items()})
    made.filters.update(evidence=evidence_text, finding=finding_text, headline=headline_text, pieces=code_spans)
    made.globals.update(note=NOTE, not_stated=NOT_STATED)
    return made


def code_spans(text: str) -> Iterator[tuple[str, bool]]:
    """`text` in pieces, each with whether it is code; the pieces of code without their backticks."""
    at = 0
    for found in _CODE.finditer(text):
        yield text[at : found.start()], False
        yield found[1] or found[2], True
        at = found.end()
    yield text[at:], False


def _is(kind: type) -> Callable[[object], bool]:
    return lambda block: isinstance(block, kind)
