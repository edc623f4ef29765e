"""Which column of a table is the question, which the answer, and what else it says about a pair."""

from collections.abc import Mapping

from medqa_core.data.tables import TEXT_LIMIT, Row, Table
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


def resolve(table: Table, wanted: Mapping[str, str]) -> dict[str, str]:
    """The table's column for each of our names that it has, those in `wanted` as asked and the others guessed.

    Raises:
        UnknownName: `wanted` maps a name that is none of ours.
        InputError: a column is missing or appears twice.
    """
    for name in wanted:
        if name not in GUESSES:
            raise UnknownName("columns", name, GUESSES)
    for number, column in enumerate(table.columns, 1):
        if not _is_utf8(column):
            raise _refuse(table, f"column {number}: not UTF-8 text; save the file as UTF-8")
    for name, column in wanted.items():
        if column not in table.columns:
            raise _refuse(table, f"column {shorten(column)!r} (for {name}): missing; {_listed(table)}")
    found = _with_guesses(table, wanted)
    _check_found(table, found)
    return found


def _with_guesses(table: Table, wanted: Mapping[str, str]) -> dict[str, str]:
    """`wanted`, and for our other names the column that is called so and serves no other."""
    found = dict(wanted)
    by_key: dict[str, str] = {}
    for column in table.columns:
        by_key.setdefault(_key(column), column)
    for name, guesses in GUESSES.items():
        guess = next((by_key[guess] for guess in guesses if guess in by_key), None)
        if name not in found and guess is not None and guess not in found.values():
            found[name] = guess
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


def text(row: Row, name: str, column: str) -> str:
    """The cell of `column`, which is our `name`; nothing and null are an empty text.

    Raises:
        InputError: it is missing where it must not be, or is not text, or not UTF-8, or too long.
    """
    if column not in row.values and name in REQUIRED:
        raise row.refuse(column, "missing")
    value = row.values.get(column)
    if value is None:
        return ""
    if name in COUNTED and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise row.refuse(column, f"{_kind(value)} where text is needed")
    if len(value) > TEXT_LIMIT:
        raise row.refuse(column, f"{len(value):,} characters, {TEXT_LIMIT:,} are the most")
    if not _is_utf8(value):
        raise row.refuse(column, "not UTF-8 text; save the file as UTF-8")
    return value


def _is_utf8(text: str) -> bool:
    """Whether no byte of it had to be read as half a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _key(column: str) -> str:
    return column.strip().casefold().replace(" ", "_").replace("-", "_")


def _listed(table: Table) -> str:
    named = [shorten(repr(column), 40) for column in table.columns if column]
    return f"the columns are {', '.join(named[:20])}{', …' if len(named) > 20 else ''}"


def _kind(value: object) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return kinds.get(type(value), f"{type(value).__name__}")
