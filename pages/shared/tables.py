"""Tables as real HTML tables: readable by a screen reader, tabular figures, cards where their place is narrow.

The roles are written out, as a browser drops those of a table that is not laid out as one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import Literal

from pages.shared.markup import html

UNKNOWN = "·"
"""A cell with nothing to show."""


ROOM = (22, 23, 28, 36, 44, 51, 56, 62, 68)
"""Widths of a table's place, in rem, below which its rows become cards; the style sheet has a rule for each."""
_CHARACTER, _GAP, _BREAKS = 0.5, 1.2, 14
"""Rem of a character and between columns; characters that the widest word of a text column has, as a rule."""
DENSE = 8
"""Columns from which on letters and gaps are smaller: rows side by side are easier to compare than cards."""
_DENSE_CHARACTER, _DENSE_GAP = 0.47, 0.75
_TITLE = 0.62
"""A letter of a title beside one of a cell."""
_TAG = re.compile(r"<[^>]*>")
_LONG_WORD = re.compile(r"[^\s<>&;]{25,}")
"""A checksum, as a rule: on a phone it must break somewhere."""


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
    head = "".join(f'<th scope="col" role="columnheader"{_class(c)}>{escape(c.title)}</th>' for c in columns)
    body = "".join('<tr role="row">' + "".join(map(_cell, range(len(columns)), columns, row)) + "</tr>" for row in rows)
    label = escape(caption, quote=True)
    dense = " mq-dense" if len(columns) >= DENSE else ""
    return (
        f'<p class="mq-note mq-caption">{label}</p>'
        f'<div class="mq-scroll" role="group" tabindex="0" aria-label="{label}">'
        f'<table aria-label="{label}" class="mq-by-{_room(columns, rows)}{dense}" role="table">'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead><tbody role="rowgroup">{body}</tbody></table></div>'
    )


def _room(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> int:
    """The smallest ROOM that the columns fit into, by their longest lines; a text column may break its lines."""
    needed = 0.0
    character, gap = (_DENSE_CHARACTER, _DENSE_GAP) if len(columns) >= DENSE else (_CHARACTER, _GAP)
    for place, column in enumerate(columns):
        longest = max((_longest(row[place]) for row in rows), default=0)
        title = _TITLE * max(map(len, column.title.split()), default=0)
        needed += gap + character * max(min(longest, _BREAKS) if column.kind == "text" else longest, title)
    return next((room for room in ROOM if room >= needed), ROOM[-1])


def _longest(cell: Cell) -> int:
    """Characters of a cell's longest line."""
    lines = cell.markup.split("<br>") if isinstance(cell, Raw) else [cell]
    return max(len(_TAG.sub("", line)) for line in lines)


def _cell(place: int, column: Column, cell: Cell) -> str:
    """A cell; the first of a row is its heading, the others carry their column's title for where rows are cards."""
    if place == 0:
        return f'<th scope="row" role="rowheader"{_class(column)}>{_text(cell)}</th>'
    shown = f"<span>{_text(cell)}</span>"
    return f'<td role="cell" data-label="{escape(column.title, quote=True)}"{_class(column)}>{shown}</td>'


def _class(column: Column) -> str:
    return {"text": "", "number": ' class="num"', "fit": ' class="fit"'}[column.kind]


def _text(cell: Cell) -> str:
    return cell.markup if isinstance(cell, Raw) else breakable(cell)


def breakable(text: str) -> str:
    """Text as HTML in which a word that is as long as a checksum may break; copied, it is in one piece."""
    return _LONG_WORD.sub(lambda word: "<wbr>".join(wrap(word[0], 16)), escape(text))
