"""What a write-up is made of, whatever it is written as."""

from dataclasses import dataclass

FIELDS = ("Field", "Value")
"""The header of a table that lists one thing's properties."""


@dataclass(frozen=True)
class Table:
    """Rows of text under a header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = str | Table | list[str]
"""A paragraph, a table, or bullets."""


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]
