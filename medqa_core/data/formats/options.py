"""Multiple choice: the options become part of the question, and a letter or number that names one becomes its text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase
from typing import Any

from medqa_core.data.columns import guess
from medqa_core.data.formats.questions import ASKED
from medqa_core.data.formats.sample import as_text, cells, mostly, named, unpacked
from medqa_core.data.pairs import normalise
from medqa_core.data.tables import Row, Table

_LISTS = ("options", "choices", "answer_choices", "answer_options", "mc_answers")
_LETTERS = tuple(
    tuple(f"{word}{one}" for one in ones)
    for word in ("op", "option_", "choice_", "answer_", "option", "ending", "")
    for ones in ("abcdef", "123456", "0123")
    if word or ones == "abcdef"
)
"""Columns that hold an option each."""
_RIGHT = (
    "answer_idx", "answer_index", "cop", "correct_option", "correct_answer", "answerkey", "answer_key", "correct",
    "label", "gold", "target",
)  # fmt: skip
"""Columns that name the right option, where none holds its text."""
_LABEL = re.compile(r"\(?([A-Za-z0-9])[.):]\)?\s+")
_NAMED = re.compile(r"\(?([A-Za-z0-9])[.):]?\)?")
_NUMBER = re.compile(r"\(?(-?\d)(?:\.0)?[.):]?\)?")
_KEYS, _TEXTS = ("key", "label", "id"), ("value", "text", "content")
"""What an option that is an object calls its label and its text."""
_FEWEST = 2

Option = tuple[str, str]
"""Label and text; none in an empty cell between others, so that each keeps its letter."""


@dataclass(frozen=True)
class _Columns:
    """Which column is what."""

    question: str
    options: tuple[str, ...]
    """One that holds all, or one for each."""
    answer: str
    right: str | None


def multiple_choice(table: Table, sample: Sequence[Row], mapping: Mapping[str, str]) -> Table | None:
    """A question with options, in one column or one each."""
    found = _columns(table, sample, mapping)
    if found is None:
        return None
    base = _base(sample, found)

    def rows() -> Iterator[Row]:
        for row in table.rows:
            listed = _options(row, found.options)
            stem = row.values.get(found.question)
            if not listed or not isinstance(stem, str):
                yield row
                continue
            text = "\n".join([stem, *(f"{label}. {option}" for label, option in listed if option)])
            answer = _answer(row, found, listed, base, table)
            yield Row(row.file, row.number, {**row.values, found.question: text, found.answer: answer, ASKED: stem})

    used = {*found.options, *([found.right] if found.right and found.right != found.answer else [])}
    columns = tuple(column for column in table.columns if column not in used)
    if found.answer not in columns:
        columns = (*columns, found.answer)
    notes = (*table.notes, f"multiple choice: the options ({', '.join(found.options)}) are part of the question (A. …)")
    if base is not None:
        notes = (*notes, f"numbers of right options count from {base}")
    origins = {} if found.answer in table.columns else {"answer": f"the option that {found.right} names"}
    return replace(
        table, columns=columns, rows=rows(), notes=notes, origins=origins, topic_column=ASKED, multiple_choice=True
    )


def _columns(table: Table, sample: Sequence[Row], mapping: Mapping[str, str]) -> _Columns | None:
    question = mapping.get("question") or guess(table.columns, "question")
    options = _option_columns(table, sample)
    if question is None or not options or question in options:
        return None
    rest = [column for column in table.columns if column not in options]
    answer, right = mapping.get("answer") or guess(rest, "answer"), named(table, *_RIGHT)
    if answer is None and right is None:
        return None
    return _Columns(question, options, answer or "answer", right)


def _option_columns(table: Table, sample: Sequence[Row]) -> tuple[str, ...]:
    one = named(table, *_LISTS)
    if one is not None and mostly([len(_listed(unpacked(cell))) >= _FEWEST for cell in cells(sample, one)]):
        return (one,)
    for names in _LETTERS:
        there = [column for name in names if (column := named(table, name)) is not None]
        if len(there) >= _FEWEST and there[0] == named(table, names[0]):
            return tuple(there)
    return ()


def _options(row: Row, columns: tuple[str, ...]) -> list[Option]:
    if len(columns) == 1:
        return _listed(unpacked(row.values.get(columns[0])))
    texts = ["" if (value := row.values.get(column)) is None else str(value).strip() for column in columns]
    while texts and not texts[-1]:
        texts.pop()
    return list(zip(ascii_uppercase, texts, strict=False))


def _listed(value: Any) -> list[Option]:
    """The options of a cell: by letter, as a list of texts, or of objects with a label and a text."""
    if isinstance(value, dict):
        texts, labels = value.get("text"), value.get("label")
        if isinstance(texts, list):
            return _labelled(labels if isinstance(labels, list) else [], texts)
        return [(str(label), as_text(text)) for label, text in value.items() if text not in (None, "")]
    if not isinstance(value, list) or len(value) > len(ascii_uppercase):
        return []
    if all(isinstance(one, dict) for one in value):
        return _labelled([_first(one, _KEYS) for one in value], [_first(one, _TEXTS) for one in value])
    return _labelled([], value)


def _first(value: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((value[name] for name in names if name in value), "")


def _labelled(labels: Sequence[Any], texts: Sequence[Any]) -> list[Option]:
    """Texts with their labels; those without get letters, and one that a text begins with is taken off it."""
    plain = [str(text).strip() for text in texts]
    if len(labels) == len(plain) and all(labels):
        return [(str(label), text) for label, text in zip(labels, plain, strict=True)]
    begun = [_LABEL.match(text) for text in plain]
    if all(found and found[1].upper() == ascii_uppercase[place] for place, found in enumerate(begun)):
        plain = [text[found.end() :] for text, found in zip(plain, begun, strict=True) if found]
    return list(zip(ascii_uppercase, plain, strict=False))


def _base(sample: Sequence[Row], columns: _Columns) -> int | None:
    """From what numbers of right options count: 0 unless the first rows show that it is 1; None without numbers."""
    seen: list[tuple[int, int]] = []
    for row in sample:
        listed = _options(row, columns.options)
        number = _number(_named_by(row, columns), listed)
        if number is not None and number >= 0:
            seen.append((number, len(listed)))
    if not seen:
        return None
    from_one = all(number > 0 for number, _ in seen) and any(number == count for number, count in seen)
    return int(from_one)


def _named_by(row: Row, columns: _Columns) -> Any:
    """The cell that says which option is right."""
    value = row.values.get(columns.answer)
    return row.values.get(columns.right) if value in (None, "") and columns.right else value


def _number(value: Any, listed: list[Option]) -> int | None:
    """The number by which a cell names an option; None for what is none, or is the label or the text of one.

    In CSV and Excel numbers are texts, and "1.0" where pandas had a column with gaps.
    """
    if isinstance(value, str):
        found = _NUMBER.fullmatch(value.strip())
        if found is None or normalise(value) in (normalise(one) for option in listed for one in option):
            return None
        return int(found[1])
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _answer(row: Row, columns: _Columns, listed: list[Option], base: int | None, table: Table) -> Any:
    """The right option's text; an answer that is no option's name stays as it is."""
    value = _named_by(row, columns)
    number = _number(value, listed)
    if number is None:
        bare = _NAMED.fullmatch(value.strip()) if isinstance(value, str) else None
        by_label = {label.upper(): text for label, text in listed}
        if bare is None or bare[1].upper() not in by_label or normalise(value) in map(normalise, by_label.values()):
            return value
        return _told(by_label[bare[1].upper()], table)
    if number < 0:  # nobody said which is right
        return ""
    place = number - (base or 0)
    if not 0 <= place < len(listed):
        column = columns.answer if row.values.get(columns.answer) not in (None, "") else columns.right
        table.problems.add(
            row.number, row.place(column or columns.answer), f"{number} names none of {len(listed)} options"
        )
        return ""
    return _told(listed[place][1], table)


def _told(text: str, table: Table) -> str:
    what = "made the option's text" if text else "without a text, taken for none"
    table.tally.add("answer", f"that named an option {what}")
    return text
