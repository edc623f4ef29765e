"""Formats that keep a question in several columns: Alpaca's `input`, SQuAD's `answers`, PubMedQA's long answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from medqa_core.data.cells import is_placeholder
from medqa_core.data.columns import REQUIRED, complete, guess
from medqa_core.data.formats.sample import cells, mostly, named, others, unpacked
from medqa_core.data.medquad_text import topic_of
from medqa_core.data.readers.squad import paragraph_id
from medqa_core.data.tables import Row, Table

ASKED = "medqa: asked about"
"""A column of ours: the text that names the topic, where a question has more in it."""


def alpaca(table: Table, sample: Sequence[Row], mapping: Mapping[str, str]) -> Table | None:
    """`instruction`, `input` and an answer: the question is both texts where there is an input."""
    instruction, extra, answer = named(table, "instruction"), named(table, "input"), guess(table.columns, "answer")
    if instruction is None or extra is None or answer is None or "question" in mapping:
        return None
    if guess(table.columns, "question") != instruction or not all(isinstance(c, str) for c in cells(sample, extra)):
        return None

    def rows() -> Iterator[Row]:
        for row in table.rows:
            told, more = row.values.get(instruction), row.values.get(extra)
            if not isinstance(told, str) or not isinstance(more, str) or is_placeholder(more):
                yield Row(row.file, row.number, {**row.values, ASKED: told})
                continue
            both = f"{told}\n{more}" if told.strip() else more
            asked = next((text for text in (more, told) if topic_of(" ".join(text.split()))), both)
            yield Row(row.file, row.number, {**row.values, instruction: both, ASKED: asked})

    origins = {"question": f"{instruction} + {extra}, where there is one"}
    columns = tuple(column for column in table.columns if column != extra)
    return replace(table, columns=columns, rows=rows(), origins=origins, topic_column=ASKED)


def squad(table: Table, sample: Sequence[Row], mapping: Mapping[str, str]) -> Table | None:
    """A question with `answers`, an object with a list `text`: each is a reference; none where it has no answer."""
    question, answers = named(table, "question"), named(table, "answers")
    if question is None or answers is None or any(name in mapping for name in REQUIRED):
        return None
    if not mostly([_texts(unpacked(cell)) is not None for cell in cells(sample, answers)]):
        return None
    impossible, context, title = named(table, "is_impossible"), named(table, "context"), named(table, "title")

    def rows() -> Iterator[Row]:
        for row in table.rows:
            texts = _texts(unpacked(row.values.get(answers))) or []
            if not texts or (impossible and row.values.get(impossible) is True):
                texts = []
                table.tally.add("question", "without an answer in its text (is_impossible) left out")
            kept = dict(others(row, answers, impossible, context, title))
            if title and "topic" not in kept:
                kept["topic"] = row.values.get(title)
            if context and isinstance(row.values.get(context), str) and "document" not in kept:
                kept["document"] = paragraph_id(row.values[context])
            yield Row(row.file, row.number, {**kept, "answer": texts})

    made = ("topic",) * bool(title) + ("document",) * bool(context) + ("answer",)
    columns = [column for column in table.columns if column not in (answers, impossible, context, title)]
    origins = {"answer": answers}
    if title:
        origins["topic"] = title
    if context:
        origins["document"] = f"{context} (its hash)"
    return replace(table, columns=tuple(dict.fromkeys([*columns, *made])), rows=rows(), origins=origins)


def pubmed_qa(table: Table, sample: Sequence[Row], mapping: Mapping[str, str]) -> Table | None:
    """A question with a `long_answer`; the decision in one word and the abstract are left aside."""
    question, answer = named(table, "question"), named(table, "long_answer")
    if question is None or answer is None or complete(table.columns):
        return None
    if any(name in mapping for name in REQUIRED):
        return None
    id_ = named(table, "id", "pubid", "pmid")
    names = {question: "question", answer: "answer", **({id_: "id"} if id_ else {})}

    def rows() -> Iterator[Row]:
        for row in table.rows:
            yield Row(row.file, row.number, {names.get(column, column): v for column, v in row.values.items()})

    columns = tuple(names.get(column, column) for column in table.columns)
    origins = {ours: theirs for theirs, ours in names.items() if ours != theirs}
    return replace(table, columns=columns, rows=rows(), origins=origins)


def _texts(value: Any) -> list[str] | None:
    """The texts of SQuAD's answers; None where they are not such."""
    texts = value.get("text") if isinstance(value, dict) else None
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return None
    return list(dict.fromkeys(texts))
