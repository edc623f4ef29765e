"""What the self-test of base and fine-tuned model found: does each column of answers come from the model it names?"""

from enum import StrEnum

from pydantic import Field

from medqa_core.runs.schema.evaluation import Precision, Variant
from medqa_core.runs.schema.record import Line, Record


class Failure(StrEnum):
    """What is wrong, in words."""

    BASE_DIFFERS = "the base variant does not compute what the base alone does"
    NOTHING_CHANGED = "the fine-tuned variant computes exactly what the base does: its weights change nothing"
    OTHER_TOKENS = "the answers are not those of the weights that they are shown for"


class Problem(Record):
    """A self-test that failed."""

    failure: Failure
    question: Line | None = None
    """The question on which it showed; None: on all of them."""
    variant: Variant | None = None
    """Whose tokens they should have been, for OTHER_TOKENS."""


class SelfTest(Record):
    """The base column's logits against those of the base loaded afresh, then the tokens of what answers here."""

    problem: Problem | None = None
    """None: passed."""
    base_model: Line
    questions: int = Field(ge=1)
    """Asked in the test."""
    engine: Line
    """What answers here."""
    precision: Precision
    """Of what answers here; an int8 copy's tokens may differ and are not compared."""
    tokens: int | None = None
    """First tokens of each answer that were compared and are the same; None: none were compared."""
    columns_differ: bool | None = None
    """Whether any of these tokens tells the columns from each other."""

    @property
    def passed(self) -> bool:
        """Whether each column is the model it names."""
        return self.problem is None
