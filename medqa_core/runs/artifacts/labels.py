"""`labels.json`: what people call a run and file it under. Of a run's files the only one that may change at any time.

It stands beside run.json and not in it: a run is renamed after its training, and run.json's SHA-256 stands in the
training record and in the manifest, which hold what was done and not what it is called.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from medqa_core.runs.reading import Reading, read_optional_model
from medqa_core.runs.schema.record import Line, Record, RunRecord

LABELS = "labels.json"
MOST_TAGS = 20


def _tag(text: str) -> str:
    if not text or "," in text:
        raise ValueError("a tag has 1 to 40 characters and no comma")
    return text


Tag = Annotated[Line, Field(max_length=40), AfterValidator(_tag)]


class Labels(Record):
    """The whole of `labels.json`; a run without the file has the labels of none."""

    schema_version: Literal[1] = 1
    title: Line | None = Field(None, max_length=120)
    """In place of run.json's; None: that one."""
    tags: tuple[Tag, ...] = Field((), max_length=MOST_TAGS)
    note: Line = ""
    archived: bool = False
    """Lists leave the run out unless they are asked for archived ones; an address still opens it."""


def read_labels(folder: Path) -> Reading[Labels | None]:
    """The run's labels; None where it has none or they cannot be read."""
    return read_optional_model(folder, LABELS, Labels)


def labelled(record: RunRecord, labels: Labels | None) -> RunRecord:
    """The record under the title that people gave it."""
    return record if labels is None or not labels.title else record.model_copy(update={"title": labels.title})
