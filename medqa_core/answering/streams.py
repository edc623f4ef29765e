"""Several answers decoded at once, token by token, for somebody who reads along.

Each column is a prompt for one of the two models. `benchmarks/answering.py` says how much faster that is than one after
the other, and that greedy tokens are `generate`'s.
"""

from collections.abc import Generator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from medqa_core.answering.decoder import Decoder, Ends, Logits, Prompt, ends_of
from medqa_core.answering.question import GenerationSettings

GREEDY_BELOW = 1e-3
"""A temperature this near to zero is greedy: the likeliest token has all the probability that a float holds."""


class Step(NamedTuple):
    """One more token of a column, and whether the column ends with it; a token that ends an answer counts as None."""

    column: int
    token: int | None
    last: bool


def stream(
    decoder: Decoder, prompts: Sequence[Prompt], limits: Sequence[int], settings: GenerationSettings, end: Ends
) -> Generator[Step | None, None, None]:
    """The tokens of all columns as they come; None where a part of the prompts was read. Closing it stops the models.

    Args:
        decoder: what decodes.
        prompts: one for each column.
        limits: tokens that each answer may have.
        settings: how tokens are chosen.
        end: what ends an answer.
    """
    if not prompts:
        return
    batch = decoder.start(prompts)
    while batch.read():
        yield None
    ends = ends_of(end)
    choosers = [_Chooser(settings, limit, ends) for limit in limits]
    rows = list(range(len(prompts)))
    logits = batch.logits()
    while True:
        tokens = [choosers[row].choose(found) for row, found in zip(rows, logits, strict=True)]
        for row, token in zip(rows, tokens, strict=True):
            yield Step(row, None if token in ends else token, choosers[row].ended)
        left = [place for place, row in enumerate(rows) if not choosers[row].ended]
        if not left:
            return
        if len(left) < len(rows):
            batch.keep(left)
            rows, tokens = [rows[place] for place in left], [tokens[place] for place in left]
        logits = batch.step([[token] for token in tokens])[:, 0]


class Repeats:
    """The runs of tokens that an answer has, so that none comes twice.

    Only the answer's own tokens count, unlike transformers' processor of the same name: words of the question and of
    passages may be said again.
    """

    def __init__(self, size: int) -> None:
        """`size`: tokens of a run that must not come twice; 0: any may."""
        self._size = size
        self._ids: list[int] = []
        self._next: dict[tuple[int, ...], list[int]] = {}
        """The tokens that followed each run of one token less."""

    def add(self, token: int) -> None:
        """One more token of the answer."""
        self._ids.append(token)
        if 0 < self._size <= len(self._ids):
            *before, last = self._ids[-self._size :]
            self._next.setdefault(tuple(before), []).append(last)

    def without(self, logits: Logits) -> Logits:
        """The logits (vocabulary,) with those of tokens that would complete a run again at minus infinity."""
        if self._size == 0 or len(self._ids) < self._size - 1:
            return logits
        followed = self._next.get(tuple(self._ids[len(self._ids) - self._size + 1 :]))
        if followed is None:
            return logits
        logits = logits.copy()  # the engine's own buffer
        logits[followed] = -np.inf
        return logits


class _Chooser:
    """How one column's tokens are chosen, and whether it has ended."""

    def __init__(self, settings: GenerationSettings, limit: int, ends: frozenset[int]) -> None:
        self.ended = False
        self._temperature = settings.temperature
        self._random = torch.Generator(device="cpu").manual_seed(settings.seed)
        self._left = limit
        self._ends = ends
        self._repeats = Repeats(settings.no_repeat_ngram)

    def choose(self, logits: Logits) -> int:
        """The token that follows, by the logits (vocabulary,) of all."""
        token = self._one(self._repeats.without(logits))
        self._repeats.add(token)
        self._left -= 1
        self.ended = token in self._ends or self._left <= 0
        return token

    def _one(self, logits: Logits) -> int:
        if self._temperature < GREEDY_BELOW:
            return int(logits.argmax())
        probabilities = torch.softmax(torch.from_numpy(logits).double() / self._temperature, dim=-1)
        return int(torch.multinomial(probabilities, 1, generator=self._random))
