"""Which column of a table is the question, which the answer, and what else it says about a pair."""

from collections.abc import Iterable, Mapping
from typing import Any

from medqa_core.data.tables import Row, Table
from medqa_core.foundation.errors import InputError, UnknownName, shorten

GUESSES: dict[str, tuple[str, ...]] = {
    "question": ("question", "q", "prompt", "instruction", "query"),
    "answer": ("answer", "a", "response", "output", "completion"),
    "id": ("id", "question_id", "qid"),
    "document": ("document", "document_id", "doc_id"),
    "topic": ("topic", "focus", "question_focus", "focus_area", "subject"),
    "question_type": ("question_type", "qtype", "type"),
    "source": ("source", "document_source"),
    "url": ("url", "document_url", "link"),
    "synonyms": ("synonyms", "aliases"),
    "concepts": ("concepts", "umls_cui", "cui"),
}
"""Our names, and the names under which a table's columns are found where no mapping is given; the first wins."""
REQUIRED = ("question", "answer")
COUNTED = ("id", "document")
"""Columns in which whole numbers do as well as text."""
_NESTED = 2
"""Levels below a row of which paths are listed."""


def resolve(table: Table, wanted: Mapping[str, str]) -> dict[str, str]:
    """The table's column for each of our names that it has, those in `wanted` as asked and the others guessed.

    A column may be a path into nested cells, such as `conversations.0.value`.

    Raises:
        UnknownName: `wanted` maps a name that is none of ours.
        InputError: a column is missing or appears twice.
    """
    for name in wanted:
        if name not in GUESSES:
            raise UnknownName("columns", name, GUESSES)
    for number, column in enumerate(table.columns, 1):
        if not is_utf8(column):
            raise _refuse(table, f"column {number}: not UTF-8 text; save the file as UTF-8")
    for name, column in wanted.items():
        if column not in table.columns and column.partition(".")[0] not in table.columns:
            raise _refuse(table, f"column {shorten(column)!r} (for {name}): missing; {_listed(table)}")
    found = _with_guesses(table, wanted)
    _check_found(table, found)
    return found


def guess(columns: Iterable[str], name: str) -> str | None:
    """The column that is called as one of our names is, the usual name first; None without one."""
    return called(columns, *GUESSES[name])


def called(columns: Iterable[str], *names: str) -> str | None:
    """The first column that is called one of `names`, the first name first; None without one."""
    by_key: dict[str, str] = {}
    for column in columns:
        by_key.setdefault(_key(column), column)
    return next((by_key[name] for name in names if name in by_key), None)


def recognised(columns: Iterable[str]) -> int:
    """How many of the columns that a table must have are guessed among `columns`."""
    listed = list(columns)
    return sum(guess(listed, name) is not None for name in REQUIRED)


def complete(columns: Iterable[str]) -> bool:
    """Whether all columns that a table must have are guessed among `columns`."""
    return recognised(columns) == len(REQUIRED)


def _with_guesses(table: Table, wanted: Mapping[str, str]) -> dict[str, str]:
    """`wanted`, and for our other names the column that is called so and serves no other."""
    found = dict(wanted)
    for name in GUESSES:
        guessed = guess(table.columns, name)
        if name not in found and guessed is not None and guessed not in found.values():
            found[name] = guessed
    return found


def _check_found(table: Table, found: Mapping[str, str]) -> None:
    for name in REQUIRED:
        if name not in found:
            which = f"Say which one it is: columns {name}=COLUMN"
            raise _refuse(table, f"column '{name}': missing; {_listed(table)}. {which}")
    for column in found.values():
        if table.columns.count(column) > 1:
            raise _refuse(table, f"column {shorten(column)!r}: appears twice; give each column a name of its own")


def _refuse(table: Table, what: str) -> InputError:
    """The error that the columns of a table do not fit; a header's row is named."""
    row = f"row {table.header_row}, " if table.header_row else ""
    return InputError(f"{table.name}: {row}{what}.")


def cell(row: Row, column: str) -> Any:
    """What stands in a column, or where a path leads; None where there is nothing."""
    if column in row.values or "." not in column:
        return row.values.get(column)
    first, *rest = column.split(".")
    value = row.values.get(first)
    for step in rest:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def texts(row: Row, name: str, column: str) -> list[str]:
    """The texts of a cell that is our `name`: one, or of a list each; nothing and null are none.

    Raises:
        InputError: it is missing where it must not be, or is not text, or not UTF-8.
    """
    value = cell(row, column)
    if name == "answer" and _are_texts(value):
        return [_checked(row, column, one) for one in value]
    if value is None and name in REQUIRED and column not in row.values and "." not in column:
        raise row.refuse(column, "missing; give the row one, or null where there is none")
    return [text] if (text := _text(row, name, column, value)) else []


def _text(row: Row, name: str, column: str, value: Any) -> str:
    if (kind := unfit(name, value)) is not None:
        raise row.refuse(column, f"{kind} where text is needed; {_remedy(name, column, value)}")
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return _checked(row, column, str(value))


def unfit(name: str, value: Any) -> str | None:
    """What a cell is that cannot be read as our `name`, such as "a list"; None for one that can."""
    number = name in COUNTED and isinstance(value, int | float) and not isinstance(value, bool)
    fits = value is None or isinstance(value, str) or number or (name == "answer" and _are_texts(value))
    return None if fits else _kind(value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _checked(row: Row, column: str, text: str) -> str:
    if not is_utf8(text):
        raise row.refuse(column, "not UTF-8 text; save the file as UTF-8")
    return text


def is_utf8(text: str) -> bool:
    """Whether no byte of it had to be read as half a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _key(column: str) -> str:
    """The key under which two spellings of a column's name are one."""
    return column.strip().casefold().replace(" ", "_").replace("-", "_")


def _listed(table: Table) -> str:
    named = [shorten(repr(column), 40) for column in table.columns if column]
    nested = [shorten(path, 60) for path in paths(table.rows[:1] if isinstance(table.rows, list) else ())]
    below = f", and below them {', '.join(nested[:8])}" if nested else ""
    # How the file was read may be why: another sheet, another delimiter.
    read = f" ({shorten('; '.join(table.notes), 300)})" if table.notes else ""
    return f"the columns are {', '.join(named[:20])}{', …' if len(named) > 20 else ''}{below}{read}"


def paths(rows: Iterable[Row]) -> list[str]:
    """The paths to texts within nested cells of these rows, each once; each can be asked for as a column."""
    found = (path for row in rows for column, value in row.values.items() for path in _below(column, value, _NESTED))
    return list(dict.fromkeys(found))


def _below(path: str, value: Any, levels: int) -> list[str]:
    if isinstance(value, list):
        value = dict(enumerate(value[:2]))
    elif not isinstance(value, dict):
        return []
    found = []
    for step, inner in value.items():
        found += [f"{path}.{step}"] if isinstance(inner, str) else _below(f"{path}.{step}", inner, levels - 1)
    return found if levels >= 0 else []


def _remedy(name: str, column: str, value: Any) -> str:
    below = _below(column, value, _NESTED)
    if below:
        return f"name a path into it, such as columns {name}={below[0]}"
    return "write it as text, or name another column"


def _kind(value: object) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return kinds.get(type(value), f"{type(value).__name__}")
