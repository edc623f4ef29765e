"""`int8.json`: what 8-bit weights cost in quality, measured on the run's own test questions."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from medqa_core.runs.reading import Reading, read_optional_model
from medqa_core.runs.schema.record import Line, Record

INT8 = "int8.json"


class Change(Record):
    """One measure with float32 and with int8 weights, on the same questions."""

    float32: float
    int8: float
    difference: float
    """int8 − float32."""
    ci: tuple[float, float] | None = None
    """95% interval of the difference, whole topics resampled; None for too few topics."""


class VariantCost(Record):
    """What int8 changes for one model."""

    same: float = Field(ge=0, le=1)
    """Share of the questions whose answer is the same to the last token."""
    loss: Change | None
    """Nats per token of the reference answer; None where it is not finite at both precisions."""
    rougeL: Change  # noqa: N815


class Int8Cost(Record):
    """The whole of `int8.json`."""

    schema_version: Literal[1] = 1
    questions: int = Field(ge=1)
    max_new_tokens: int = Field(ge=1)
    passages: int | None = Field(None, ge=1)
    """At most so many were read before each question; None: none were."""
    engine: Line
    base_sha256: Line
    fine_tuned_sha256: Line
    base: VariantCost
    fine_tuned: VariantCost


def read_int8(folder: Path) -> Reading[Int8Cost | None]:
    """The run's measured cost of int8; None where it is missing or cannot be read."""
    return read_optional_model(folder, INT8, Int8Cost)
