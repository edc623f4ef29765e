"""JSON in every shape that tables come in: lines, a list, or one object that holds rows in one way or another."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from medqa_core.data.columns import complete
from medqa_core.data.readers import squad
from medqa_core.data.tables import Problems, Row, Table, check_count, no_rows
from medqa_core.foundation.errors import InputError, shorten
from medqa_core.foundation.files import loads
from medqa_core.foundation.format import plural

_SPEAKERS = {"role", "from", "speaker"}
"""Keys of a message: a list of such is a conversation and no list of rows."""
_SAMPLE = 50
"""Lines that tell torn JSON lines from an object on many lines."""
_AGAIN = "mend it there, or write the file again"
_NO_OBJECT = 'not a JSON object; write it with the columns\' names as its keys: {"question": "…", "answer": "…"}'


def read(name: str, text: str, notes: tuple[str, ...]) -> Table:
    """The table of a JSON or JSON lines file.

    Raises:
        InputError: it is not valid JSON, or holds no rows; row and column are named.
    """
    start = text.lstrip()[:1]
    if start == "[":
        return _listed(name, text, notes)
    if start == "{" and not _is_lines(text):
        return _of_object(name, _json(name, text, None), notes)
    return _table(name, _lines, text, notes)


def _is_lines(text: str) -> bool:
    """Whether a text that begins with an object is one object a line: valid lines, or torn ones that look like it."""
    first, _, rest = text.lstrip().partition("\n")
    if not rest.strip():
        return False
    if _is_json(first):
        return True
    lines = [line.strip() for line in rest.split("\n", _SAMPLE)[:_SAMPLE] if line.strip()]
    return sum(line.startswith("{") and line.endswith("}") for line in lines) * 4 > len(lines) and not _is_json(text)


def _listed(name: str, text: str, notes: tuple[str, ...]) -> Table:
    first, _, rest = text.lstrip().partition("\n")
    if rest.strip() and _is_json(first):  # lists, a line each: no table
        return _table(name, _lines, text, notes)
    return _table(name, _items, _json(name, text, None), notes)


def _is_json(line: str) -> bool:
    """Whether a line is JSON by itself: so the file is JSON lines."""
    try:
        loads(line)
    except ValueError:
        return False
    return True


def _of_object(name: str, value: dict[str, Any], notes: tuple[str, ...]) -> Table:
    """The rows that one object holds: a row, columns, parts of rows, or rows by their ids."""
    if squad.is_squad(value):
        return _table(name, _items, list(squad.rows(name, value)), (*notes, squad.NOTE))
    if (columns := _columns(name, value)) is not None:
        return _table(name, _items, columns, notes)
    parts = {key: part for key, part in value.items() if isinstance(part, list) and _are_objects(part)}
    if parts and not complete(value) and not any(map(_is_conversation, parts.values())):
        read_ = ", ".join(f"{shorten(key, 40)} ({plural(len(part), 'row')})" for key, part in parts.items())
        aside = [key for key in value if key not in parts]
        about = f"; left aside: {shorten(', '.join(aside), 200)}" if aside else ""
        rows = [row for part in parts.values() for row in part]
        return _table(name, _items, rows, (*notes, f"parts read, one after the other: {read_}{about}"))
    if len(value) > 1 and _are_objects(list(value.values())):
        rows = [{"id": key, **row} for key, row in value.items()]
        return _table(name, _items, rows, (*notes, "one object of rows by their ids: the keys are the ids"))
    if parts or any(isinstance(cell, str) for cell in value.values()):
        return _table(name, _items, [value], notes)
    keys = shorten(", ".join(value), 200)
    raise InputError(
        f"{name}: one object with {keys or 'no keys'}, in which no rows are found; write a list of objects, or an "
        "object a line, with a key for the question and one for the answer."
    )


def _columns(name: str, value: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Rows of an object whose keys are columns, each a list of cells or cells by row, as pandas writes them."""
    if set(value) >= {"columns", "data"} and isinstance(value["data"], list) and isinstance(value["columns"], list):
        names = [str(column) for column in value["columns"]]
        return [dict(zip(names, cells, strict=False)) for cells in value["data"] if isinstance(cells, list)]
    if not complete(value):
        return None
    columns = {key: list(c.values()) if isinstance(c, dict) else c for key, c in value.items()}
    columns = {key: cells for key, cells in columns.items() if isinstance(cells, list)}
    lengths = {len(cells) for cells in columns.values()}
    if not complete(columns) or any(map(_is_conversation, columns.values())):  # of one row, then
        return None
    if len(lengths) > 1:
        named = ", ".join(f"{shorten(key, 40)} {len(cells):,}" for key, cells in columns.items())
        raise InputError(f"{name}: its columns are not equally long ({shorten(named, 200)}); write it again.")
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _is_conversation(cells: list[Any]) -> bool:
    return _are_objects(cells) and bool(_SPEAKERS & set(cells[0]))


def _are_objects(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(value, dict) for value in islice(values, 100))


def _lines(name: str, text: str, problems: Problems) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                value = _json(name, line, number)
            except _NotJson as error:
                problems.add(number, error.place, error.what)
                continue
            yield from _object(name, number, value, problems)


def _items(name: str, items: Iterable[Any], problems: Problems) -> Iterator[Row]:
    for number, item in enumerate(items, 1):
        yield from _object(name, number, item, problems)


class _NotJson(InputError):
    """A text that is not valid JSON, and where."""

    def __init__(self, name: str, place: str, what: str) -> None:
        super().__init__(f"{name}{f': {place}' if place else ''}: {what}.")
        self.place = place
        self.what = what


def _json(name: str, text: str, number: int | None) -> Any:
    try:
        return loads(text)
    except json.JSONDecodeError as error:
        place = f"row {number or error.lineno:,}, column {error.colno:,}"
        raise _NotJson(name, place, f"torn, or not valid JSON ({error.msg}); {_AGAIN}") from error
    except ValueError as error:
        raise _NotJson(name, f"row {number:,}" if number else "", f"not valid JSON ({error}); {_AGAIN}") from error


def _object(name: str, number: int, value: Any, problems: Problems) -> Iterator[Row]:
    check_count(name, number)
    if isinstance(value, dict):
        yield Row(name, number, value)
    else:
        problems.add(number, f"row {number:,}", _NO_OBJECT)


def _table(name: str, read_: Any, content: Any, notes: tuple[str, ...]) -> Table:
    problems = Problems(name)
    rows = list(read_(name, content, problems))
    columns = tuple(dict.fromkeys(key for row in rows for key in row.values))
    if not columns:
        problems.raise_any()
        raise no_rows(name)
    return Table(name, columns, rows, None, notes, problems)
