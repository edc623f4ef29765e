"""A batch whose rows ask several models: a part for each, and one answer for all."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from medqa_core.answering.decoder import Logits


class Part(Protocol):
    """The rows of a batch that one model answers; what is said of rows counts within the part."""

    rows: list[int]
    """Their places in the batch."""
    first: Logits
    """(rows, vocabulary): of the token that follows each prompt, once all are read."""

    @property
    def unread(self) -> bool:
        """Whether there is more to read."""

    def read(self) -> None:
        """Read a part of the prompts."""

    def step(self, tokens: Sequence[Sequence[int]]) -> Logits:
        """(rows, n) tokens; (rows, n, vocabulary) logits."""

    def keep(self, places: list[int]) -> None:
        """Go on with these rows, one at least, in this order."""


class PartedBatch:
    """See Batch."""

    def __init__(self, parts: Sequence[Part], rows: int) -> None:
        """`parts` have all `rows` between them."""
        self._parts = list(parts)
        self._rows = rows

    def read(self) -> bool:
        """See Batch."""
        unread = next((part for part in self._parts if part.unread), None)
        if unread is not None:
            unread.read()
        return any(part.unread for part in self._parts)

    def logits(self) -> Logits:
        """See Batch."""
        return self._joined([part.first[:, None] for part in self._parts])[:, 0]

    def step(self, tokens: Sequence[Sequence[int]]) -> Logits:
        """See Batch."""
        return self._joined([part.step([tokens[row] for row in part.rows]) for part in self._parts])

    def keep(self, rows: Sequence[int]) -> None:
        """See Batch."""
        self._parts = [part for part in self._parts if not set(part.rows).isdisjoint(rows)]
        for part in self._parts:
            part.keep([part.rows.index(row) for row in rows if row in part.rows])
            part.rows = [place for place, row in enumerate(rows) if row in part.rows]
        self._rows = len(rows)

    def _joined(self, found: Sequence[Logits]) -> Logits:
        if len(found) == 1:
            return found[0]
        whole = np.empty((self._rows, *found[0].shape[1:]), np.float32)
        for part, logits in zip(self._parts, found, strict=True):
            whole[part.rows] = logits
        return whole
