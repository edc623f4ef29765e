"""What the first rows of a table tell about its columns."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from medqa_core.data.columns import called
from medqa_core.data.tables import Row, Table
from medqa_core.foundation.files import loads

ROWS = 50
"""Rows that a format is recognised by."""
MOST = 0.5
"""The share of them that must be of it; others are left out and counted."""
_NESTED_LIMIT = 100_000
"""Characters of a text that is tried as a list or an object."""
_TEXT = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_ARRAY = re.compile(rf"\[\s*{_TEXT}(?:\s+{_TEXT})+\s*\]", re.DOTALL)
"""Texts as NumPy writes them, white space between them: Python would join them to one."""


def named(table: Table, *names: str) -> str | None:
    """The first column of a table that is called one of `names`, the first name first."""
    return called(table.columns, *names)


def cells(sample: Sequence[Row], column: str) -> list[Any]:
    """The cells of a column that hold anything."""
    return [value for row in sample if (value := row.values.get(column)) not in (None, "")]


def unpacked(cell: Any) -> Any:
    """A list or an object that a cell holds as text, as JSON, pandas or NumPy write it; other cells as they are."""
    if not isinstance(cell, str) or len(cell) > _NESTED_LIMIT or cell.lstrip()[:1] not in ("[", "{"):
        return cell
    try:
        return loads(cell)
    except ValueError:
        pass
    try:
        if _ARRAY.fullmatch(cell.strip()):
            return [ast.literal_eval(text) for text in re.findall(_TEXT, cell, re.DOTALL)]
        return ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return cell


def mostly(values: Sequence[bool]) -> bool:
    """Whether most of some values are true."""
    return bool(values) and sum(values) >= MOST * len(values)


def others(row: Row, *used: str | None) -> Mapping[str, Any]:
    """The cells of a row beside those of the columns that a format uses."""
    return {column: value for column, value in row.values.items() if column not in used}


def as_text(value: Any) -> str:
    """A nested value for a sentence."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
