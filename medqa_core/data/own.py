"""Pairs from a table of the user's own, or from a copy of MedQuAD that is one."""

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from medqa_core.data import columns as names
from medqa_core.data.cells import is_placeholder, plain_text
from medqa_core.data.formats.recognise import in_plain_rows
from medqa_core.data.layout import layout_of
from medqa_core.data.medquad_text import CLEANING, LICENCE, clean_question, split_sizes, topic_of
from medqa_core.data.pairs import PairSet, QAPair, normalise, tidy, with_unique_ids, without_duplicates
from medqa_core.data.tables import TEXT_LIMIT, CellRefused, Row, Table, Tally, check_text
from medqa_core.foundation.errors import InputError, shorten
from medqa_core.runs.schema.config import READING_VERSION

MEDQUAD_COLUMNS = (
    frozenset({"document_id", "document_source", "question_id", "question_focus", "question_type", "question"}),
    frozenset({"qtype", "Question", "Answer"}),
)
"""What the two usual copies of MedQuAD on the hub have: lavita/MedQuAD, keivalya/MedQuad-MedicalQnADataset."""


@dataclass(frozen=True)
class _Reading:
    """How the rows of a data set are read."""

    source: str
    """Of pairs whose row names none."""
    medquad: bool
    cleans: bool
    """Whether HTML becomes plain text and placeholders count as nothing: not in MedQuAD, nor in reading version 1."""
    asked: frozenset[str]
    """Our names whose columns were asked for, or which a pair must have; the others are guesses."""


def pairs(
    tables: Sequence[Table],
    name: str,
    columns: Mapping[str, str],
    licence: str | None = None,
    *,
    version: int = READING_VERSION,
) -> PairSet:
    """All usable pairs of `tables`, which have the same columns; `columns` maps our names to theirs.

    Args:
        tables: as their files were read.
        name: of the data set.
        columns: as asked for; the rest is guessed.
        licence: as the data set states it.
        version: of the reading. Version 1 knows no formats but a column each for question and answer, and takes cells
            as they are: runs keep the version that they were made with.

    Raises:
        InputError: a column is missing, or cells do not fit: file, rows and columns are named, several at once.
    """
    there = set(tables[0].columns)
    medquad = there >= MEDQUAD_COLUMNS[0] or there == MEDQUAD_COLUMNS[1]
    own = version > 1 and not medquad
    plain = [in_plain_rows(table, columns) for table in tables] if own else tables
    mapping = names.resolve(plain[0], columns)
    asked_for = frozenset({*columns, *names.REQUIRED})
    reading = _Reading("MedQuAD" if medquad else name, medquad, cleans=own, asked=asked_for)
    parsed, characters, tally = 0, 0, Tally()
    found: list[tuple[QAPair, str]] = []
    for table in plain:
        for pair, asked in _rows(table, names.resolve(table, columns), reading):
            parsed += 1
            if pair is not None and pair.answer:
                found.append((pair, asked))
                characters += len(pair.question) + sum(map(len, (pair.answer, *pair.references)))
                check_text(name, characters)
        tally.add_all(table.tally)
    if not found:
        raise _without_pairs(name, parsed, tally)
    topics: tuple[str, ...] = ()
    if "topic" not in mapping:
        named = [topic_of(asked) for _, asked in found]
        topics = (_about_topics(named),)
        found = [
            (replace(pair, topic=topic or asked), asked) for (pair, asked), topic in zip(found, named, strict=True)
        ]
    answered = with_unique_ids(pair for pair, _ in found)
    kept = without_duplicates(answered)
    read = dict.fromkeys(note for table in plain for note in table.notes)
    return PairSet(
        name=name,
        title=f"MedQuAD ({name})" if medquad else name,
        licence=LICENCE if medquad else licence or "not stated",
        pairs=kept,
        pairs_parsed=parsed,
        pairs_answered=len(answered),
        duplicates_dropped=len(answered) - len(kept),
        filters=(*_cleaning(medquad), *read, *tally.lines(), *_about_columns(plain[0], mapping), *topics),
        split_sizes=split_sizes(len(kept)) if medquad else (None, None, None),
    )


def _without_pairs(name: str, parsed: int, tally: Tally) -> InputError:
    why = f" ({'; '.join(tally.lines())})" if tally.lines() else ""
    if not parsed:
        return InputError(f"{name} holds no question{why}; give it a row for each question with its answer.")
    return InputError(f"{name}: none of its {parsed:,} questions has an answer{why}; fill the answers in.")


def _rows(table: Table, mapping: Mapping[str, str], reading: _Reading) -> Iterator[tuple[QAPair | None, str]]:
    """Each question of a table as a pair, None where its row is left out, and the text that its topic is named in.

    Raises:
        InputError: what does not fit in the table, when its rows are gone through.
    """
    rows = iter(table.rows)
    while True:
        try:
            row = next(rows, None)
        except InputError:  # as in `in_plain_rows`
            table.problems.raise_any()
            raise
        if row is None:
            break
        try:
            found = _pair(row, table, mapping, reading)
        except CellRefused as error:
            table.problems.add(error.row, error.where, error.what)
            continue
        if found is not None:
            yield found
    table.problems.raise_any()


def _pair(row: Row, table: Table, mapping: Mapping[str, str], reading: _Reading) -> tuple[QAPair | None, str] | None:
    """The pair of a row, None for it where its row is left out; None where there is no question."""
    raw = {name: _fitting_texts(row, name, column, reading, table.tally) for name, column in mapping.items()}
    long = next((name for name, texts in raw.items() if any(len(text) > TEXT_LIMIT for text in texts)), None)
    if long is not None:
        what = f"with more than {TEXT_LIMIT:,} characters in a cell left out"
        table.tally.add("row", what, row.place(mapping[long]))
        return None, ""
    if reading.cleans:
        raw = {name: _cleaned(name, texts, table.tally) for name, texts in raw.items()}
    cells = {name: _clean(texts[0]) if texts else "" for name, texts in raw.items()}
    question = clean_question(cells["question"]) if reading.medquad else cells["question"]
    if not question:
        if cells["answer"] and not reading.medquad:
            raise row.refuse(mapping["question"], "empty, though the row has an answer; fill it in or delete the row")
        return None
    where = cells.get("source") or reading.source
    # MedQuAD's ids count within a source, as in the original XML; an id made here depends on the texts alone.
    prefix = f"{where}:" if reading.medquad else ""
    document = cells.get("document", "")
    pair = QAPair(
        id=prefix + (cells.get("id") or _made_id(question, cells["answer"])),
        document=prefix + document if document else "",
        topic=cells.get("topic", ""),
        question_type=cells.get("question_type") or "unknown",
        question=question,
        answer=cells["answer"],
        source=where,
        url=cells.get("url") or None,
        layout=layout_of(raw["answer"][0], cells["answer"]) if raw["answer"] else None,
        synonyms=_listed(cells.get("synonyms", "")),
        concepts=_listed(cells.get("concepts", "")),
        references=_references(raw["answer"], table.tally),
        chosen=table.multiple_choice,
    )
    asked = row.values.get(table.topic_column) if table.topic_column else None
    return pair, _clean(asked) if isinstance(asked, str) and asked.strip() else question


def _fitting_texts(row: Row, name: str, column: str, reading: _Reading, tally: Tally) -> list[str]:
    """The texts of a cell; none of one that does not fit where only its column's name says what it might be."""
    kind = None if name in reading.asked else names.unfit(name, names.cell(row, column))
    if kind is None:
        return names.texts(row, name, column)
    said = name.replace("_", " ")
    tally.add("cell", f"of {shorten(column)!r} left aside: {kind}, and no {said}", row.place(column))
    return []


def _cleaned(name: str, texts: Sequence[str], tally: Tally) -> list[str]:
    """The texts of a cell without HTML, and without those that stand for nothing."""
    kept = []
    for text in texts:
        plain = plain_text(text)
        if plain != text:
            tally.add("cell", "with HTML made plain text")
        if not is_placeholder(plain):
            kept.append(plain)
        elif plain.strip():
            noun = name.replace("_", " ")
            tally.add(noun, f'reading "{shorten(plain, 20)}", taken for none')
    return kept


def _references(answers: Sequence[str], tally: Tally) -> tuple[str, ...]:
    """The answers behind the first, each once."""
    if len(answers) < 2:
        return ()
    first, *cleaned = map(_clean, answers)
    others = {normalise(answer): answer for answer in reversed(cleaned)}
    others.pop(normalise(first), None)
    if others:
        tally.add("question", "with several answers: the first is the pair's own, the others are references too")
    return tuple(reversed(others.values()))


def _clean(text: str) -> str:
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    return tidy(text)


def _listed(cell: str) -> tuple[str, ...]:
    """The names in a cell, with `|` or `;` between them, each once."""
    return tuple(dict.fromkeys(name for part in cell.replace("|", ";").split(";") if (name := part.strip())))


def _made_id(question: str, answer: str) -> str:
    return hashlib.sha256(f"{question}\n{answer}".encode()).hexdigest()[:16]


def _cleaning(medquad: bool) -> tuple[str, ...]:
    white_space = "runs of white space and control characters made one space"
    return CLEANING if medquad else (CLEANING[0], white_space, CLEANING[-1])


def _about_columns(table: Table, mapping: Mapping[str, str]) -> tuple[str, ...]:
    used = ", ".join(f"{name} = {table.origins.get(name, column)}" for name, column in mapping.items())
    taken = {*mapping.values(), *(column.partition(".")[0] for column in mapping.values())}
    unused = ", ".join(column for column in table.columns if column and column not in taken)
    read = (f"columns read: {shorten(used, 400)}",)
    return (*read, f"columns left aside: {shorten(unused, 400)}") if unused else read


def _about_topics(named: Sequence[str | None]) -> str:
    found = sum(topic is not None for topic in named)
    return (
        f"no topic column: for {found:,} pairs the topic is what a question such as "
        f'"What are the symptoms of X?" asks about, for the other {len(named) - found:,} the question itself'
    )
