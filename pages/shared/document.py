"""The blocks of a write-up on a page: the same document that its files are written from."""

from html import escape

from medqa_core.report.document.model import Block, Bullets, Cell, Findings, Paragraph, Table
from medqa_core.report.rules.insight import Insight
from medqa_core.report.wording.finding import wrong_text
from pages.shared import tables
from pages.shared.markup import bullets, html, rich, verdict
from pages.shared.tables import UNKNOWN, Column, Raw

UNBROKEN = 32
"""Characters of a note from which on it may break."""


def table(shown: Table, *, caption: str) -> None:
    """Show a table; `caption` says what it shows."""
    html(table_markup(shown, caption=caption))


def table_markup(shown: Table, *, caption: str) -> str:
    """The table's HTML."""
    columns = [Column(column.title, column.kind) for column in shown.columns]
    return tables.markup(columns, [[_cell(cell) for cell in row] for row in shown.rows], caption=caption)


def block(shown: Block, *, title: str) -> str:
    """A block's HTML; `title`: the section that it is part of."""
    if isinstance(shown, Paragraph):
        return f"<p>{rich(shown.text)}</p>"
    if isinstance(shown, Bullets):
        return bullets(shown.items)
    if isinstance(shown, Findings):
        return "".join(finding(one) for one in shown.items)
    return table_markup(shown, caption=title)


def finding(one: Insight) -> str:
    """A computed sentence; what it rests on opens below it."""
    rows = "".join(f"<li><code>{escape(row)}</code></li>" for row in one.evidence)
    effect = f"<p class='mq-note'>Size: {rich(one.effect)}</p>" if one.effect else ""
    return (
        f'<div class="mq-finding"><p>{rich(one.sentence)}</p><details><summary>Evidence</summary>'
        f'<div class="mq-evidence"><ul>{rows}</ul>{effect}'
        f'<p class="mq-note">{rich(wrong_text(one))}</p></div></details></div>'
    )


def _note(note: str) -> str:
    """A line under a verdict; a short one stays on it, a sentence may break."""
    return f'<span class="mq-note{" fit" if len(note) < UNBROKEN else ""}">{escape(note)}</span>'


def _cell(cell: Cell) -> Raw:
    if cell.verdict is not None:
        return Raw(verdict(cell.verdict) + "".join(f"<br>{_note(note)}" for note in cell.notes))
    beside = f' <span class="mq-note">{escape(", ".join(cell.notes))}</span>' if cell.notes else ""
    return Raw(tables.breakable(UNKNOWN if cell.text is None else cell.text) + beside)
