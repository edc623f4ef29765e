"""What every engine does: read prompts, then go on from them token by token, several at once.

A batch's rows may have prompts of any length and either model's weights. Tokens are chosen by whoever drives it:
`generate` for the evaluation, `streams` for a reader.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medqa_core.models.variants import Variant
from medqa_core.runs.schema.evaluation import Precision

Logits = NDArray[np.float32]
Ends = int | Collection[int]
"""The token that ends an answer, or those that do."""


@dataclass(frozen=True)
class Prompt:
    """What one row is asked."""

    variant: Variant
    """Whose weights answer."""
    ids: list[int]


class Batch(Protocol):
    """Rows that are decoded together."""

    def read(self) -> bool:
        """Read a part of the prompts that are not read yet; whether there is more to read."""

    def logits(self) -> Logits:
        """(rows, vocabulary): of the token that follows each row's prompt, once all are read."""

    def step(self, tokens: Sequence[Sequence[int]]) -> Logits:
        """Go on with these tokens, as many in each row.

        Returns:
            (rows, tokens, vocabulary): of the token that follows each of them; good until the next step.
        """

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order."""


class Decoder(Protocol):
    """An engine with a run's models in it."""

    name: str
    """Engine and version, for protocol and provenance."""
    precision: Precision

    def start(self, prompts: Sequence[Prompt]) -> Batch:
        """A batch of these prompts, none of them read yet."""


def ends_of(end: Ends) -> frozenset[int]:
    """The tokens that end an answer."""
    return frozenset([end] if isinstance(end, int) else end)


def read(decoder: Decoder, prompts: Sequence[Prompt]) -> Batch:
    """A batch of these prompts, all of them read."""
    batch = decoder.start(prompts)
    while batch.read():
        pass
    return batch


def described(decoder: Decoder) -> str:
    """Engine and precision, for provenance."""
    return f"{decoder.name}, {decoder.precision}"
