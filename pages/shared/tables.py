"""Tables as real HTML tables: readable by a screen reader, tabular figures, scrolling inside themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from pages.shared.markup import html

UNKNOWN = "·"
"""A cell with nothing to show."""


@dataclass(frozen=True)
class Column:
    """A column's heading and how its cells stand."""

    title: str
    kind: Literal["text", "number", "fit"] = "text"
    """`number` is right-aligned, `fit` never breaks."""


@dataclass(frozen=True)
class Raw:
    """A cell that is markup already, built from escaped parts."""

    markup: str


Cell = str | Raw


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, caption: str) -> None:
    """Show a table; the first cell of a row is its heading, `caption` says what the table shows."""
    html(markup(columns, rows, caption=caption))


def markup(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, caption: str) -> str:
    """The table's HTML."""
    head = "".join(f'<th scope="col"{_class(c)}>{escape(c.title)}</th>' for c in columns)
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row"{_class(column)}>{_text(cell)}</th>'
            if n == 0
            else f"<td{_class(column)}>{_text(cell)}</td>"
            for n, (column, cell) in enumerate(zip(columns, row, strict=True))
        )
        + "</tr>"
        for row in rows
    )
    label = escape(caption, quote=True)
    return (
        f'<p class="mq-note mq-caption">{label}</p>'
        f'<div class="mq-scroll" role="region" tabindex="0" aria-label="{label}"><table aria-label="{label}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _class(column: Column) -> str:
    return {"text": "", "number": ' class="num"', "fit": ' class="fit"'}[column.kind]


def _text(cell: Cell) -> str:
    return cell.markup if isinstance(cell, Raw) else escape(cell)
