"""`retrieval.json`: how often the passages found for a question are the ones that it needs."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from medqa_core.runs.reading import Reading, read_optional_model
from medqa_core.runs.schema.record import Line, Record
from medqa_core.runs.schema.upgrade import upgrade_retrieval

RETRIEVAL = "retrieval.json"

Share = Annotated[float, Field(ge=0, le=1)]


class Recall(Record):
    """On how many test questions one of the first k passages is a right one."""

    k: int = Field(ge=1)
    hits: int = Field(ge=0)
    n: int = Field(ge=1)
    share: Share
    ci: tuple[Share, Share]
    """95% score interval (Wilson 1927); questions count as independent, which those on one topic are not."""


class Retrieval(Record):
    """The whole of `retrieval.json`."""

    schema_version: Literal[2] = 2
    method: Line
    questions: int = Field(ge=1)
    passages: int = Field(ge=0)
    """Of the training answers: what is searched when a question is answered with sources."""
    known_item_passages: int = Field(ge=0)
    """Of all answers, held-out ones included: what is searched for the known item."""
    split_hash: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    known_item: list[Recall] = []
    """A passage of the question's own document is found, in an index that holds it."""
    support: list[Recall] = []
    """A training passage is found that has a 13-word overlap with a reference answer."""
    support_by_chance: list[Recall] = []
    """The same of as many training passages chosen at random."""
    seconds_per_question: float | None = Field(None, ge=0)
    """Of one search."""

    _upgrade = model_validator(mode="before")(upgrade_retrieval)


def read_retrieval(run_folder: Path) -> Reading[Retrieval | None]:
    """The run's measured retrieval; None where it is missing or cannot be read."""
    return read_optional_model(run_folder, RETRIEVAL, Retrieval)
