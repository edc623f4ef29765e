"""What a write-up is made of, whatever it is written as."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from medqa_core.foundation.format import NOT_STATED
from medqa_core.report.names import verdict_mark
from medqa_core.report.rules.insight import Insight
from medqa_core.report.views.headline import Headline
from medqa_core.report.wording.verdict import VerdictText
from medqa_core.runs.schema.evaluation import Verdict


@dataclass(frozen=True)
class Column:
    """A column's heading and how its cells stand."""

    title: str
    kind: Literal["text", "number"] = "text"


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str | None
    """None where nothing is known: each renderer has its own sign for that."""
    notes: tuple[str, ...] = ()
    """What stands beside the text, smaller."""
    verdict: Verdict | None = None
    """Set where the text is this verdict's mark, so that a renderer can give it its colour."""

    @classmethod
    def of_verdict(cls, verdict: Verdict, notes: tuple[str, ...] = ()) -> "Cell":
        """A verdict with its sign."""
        return cls(verdict_mark(verdict), notes, verdict)

    @property
    def plain(self) -> str:
        """The cell on one line, for a format without columns, colours and sizes."""
        text = NOT_STATED if self.text is None else self.text
        return f"{text} ({'; '.join(self.notes)})" if self.notes else text


@dataclass(frozen=True)
class Table:
    """Rows under their columns; the first cell of a row is its heading."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    fields: bool = False
    """Whether it lists one thing's properties: the columns are "Field" and "Value" and need not be shown."""

    @classmethod
    def of(cls, columns: tuple[Column | str, ...], rows: "Rows") -> "Table":
        """A table; plain text stands for a text column or a cell, None for a cell with nothing known."""
        return cls(
            tuple(column if isinstance(column, Column) else Column(column) for column in columns),
            tuple(tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row) for row in rows),
        )

    @classmethod
    def of_fields(cls, rows: list[tuple[str, str]]) -> "Table":
        """One thing's properties."""
        return cls((Column("Field"), Column("Value")), tuple((Cell(name), Cell(text)) for name, text in rows), True)

    @property
    def titles(self) -> tuple[str, ...]:
        """The columns' headings."""
        return tuple(column.title for column in self.columns)

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """The rows as plain text."""
        return tuple(tuple(cell.plain for cell in row) for row in self.rows)


Rows = Sequence[Sequence[Cell | str | None]]


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Findings:
    """Computed sentences with the rows they rest on."""

    items: tuple[Insight, ...]


Block = Paragraph | Bullets | Findings | Table


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """The full report of a run."""

    title: str
    verdict: VerdictText
    headline: tuple[Headline, ...]
    """The four figures."""
    figures: Table
    """The same as a table."""
    findings: Findings
    """The weightiest few."""
    limits: str
    """The limits in one line."""
    sections: tuple[Section, ...]
