"""Pairs from a table of the user's own, or from a copy of MedQuAD that is one."""

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from medqa_core.data import columns as names
from medqa_core.data.layout import layout_of
from medqa_core.data.medquad_text import CLEANING, LICENCE, clean_question, split_sizes, topic_of
from medqa_core.data.pairs import PairSet, QAPair, tidy, with_unique_ids, without_duplicates
from medqa_core.data.tables import Table
from medqa_core.foundation.errors import InputError, shorten

MEDQUAD_COLUMNS = (
    frozenset({"document_id", "document_source", "question_id", "question_focus", "question_type", "question"}),
    frozenset({"qtype", "Question", "Answer"}),
)
"""What the two usual copies of MedQuAD on the hub have: lavita/MedQuAD, keivalya/MedQuad-MedicalQnADataset."""


def pairs(tables: Sequence[Table], name: str, columns: Mapping[str, str], licence: str | None = None) -> PairSet:
    """All usable pairs of `tables`, which have the same columns; `columns` maps our names to theirs.

    Raises:
        InputError: a column is missing, or a cell does not fit: file, row and column are named.
    """
    there = set(tables[0].columns)
    medquad = there >= MEDQUAD_COLUMNS[0] or there == MEDQUAD_COLUMNS[1]
    mapping = names.resolve(tables[0], columns)
    parsed, found = 0, []
    for table in tables:
        theirs = names.resolve(table, columns)
        for pair in _pairs(table, theirs, "MedQuAD" if medquad else name, medquad=medquad):
            parsed += 1
            if pair.answer:
                found.append(pair)
    if not found:
        raise InputError(f"{name}: none of its {parsed:,} questions has an answer.")
    topics: tuple[str, ...] = ()
    if "topic" not in mapping:
        named = [topic_of(pair.question) for pair in found]
        topics = (_about_topics(named),)
        found = [replace(pair, topic=topic or pair.question) for pair, topic in zip(found, named, strict=True)]
    answered = with_unique_ids(found)
    kept = without_duplicates(answered)
    return PairSet(
        name=name,
        title=f"MedQuAD ({name})" if medquad else name,
        licence=LICENCE if medquad else licence or "not stated",
        pairs=kept,
        pairs_parsed=parsed,
        pairs_answered=len(answered),
        duplicates_dropped=len(answered) - len(kept),
        filters=(*_cleaning(medquad), *_about_columns(tables[0], mapping), *topics),
        split_sizes=split_sizes(len(kept)) if medquad else (None, None, None),
    )


def _pairs(table: Table, mapping: Mapping[str, str], source: str, *, medquad: bool) -> Iterator[QAPair]:
    for row in table.rows:
        cells = {name: _clean(names.text(row, name, column)) for name, column in mapping.items()}
        question = clean_question(cells["question"]) if medquad else cells["question"]
        if not question:
            if cells["answer"] and not medquad:
                raise row.refuse(mapping["question"], "empty, though the row has an answer")
            continue
        where = cells.get("source") or source
        # MedQuAD's ids count within a source, as in the original XML; an id made here depends on the texts alone.
        prefix = f"{where}:" if medquad else ""
        document = cells.get("document", "")
        yield QAPair(
            id=prefix + (cells.get("id") or _made_id(question, cells["answer"])),
            document=prefix + document if document else "",
            topic=cells.get("topic", ""),
            question_type=cells.get("question_type") or "unknown",
            question=question,
            answer=cells["answer"],
            source=where,
            url=cells.get("url") or None,
            layout=layout_of(names.text(row, "answer", mapping["answer"]), cells["answer"]),
            synonyms=_listed(cells.get("synonyms", "")),
            concepts=_listed(cells.get("concepts", "")),
        )


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
    used = ", ".join(f"{name} = {column}" for name, column in mapping.items())
    unused = ", ".join(column for column in table.columns if column and column not in mapping.values())
    read = (f"columns read: {shorten(used, 400)}",)
    return (*read, f"columns left aside: {shorten(unused, 400)}") if unused else read


def _about_topics(named: Sequence[str | None]) -> str:
    found = sum(topic is not None for topic in named)
    return (
        f"no topic column: for {found:,} pairs the topic is what a question such as "
        f'"What are the symptoms of X?" asks about, for the other {len(named) - found:,} the question itself'
    )
