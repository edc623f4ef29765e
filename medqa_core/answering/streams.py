"""Several answers decoded at once, token by token, for somebody who reads along.

Each column is a prompt for one of the two models. `benchmarks/answering.py` says how much faster that is than one after
the other, and that greedy tokens are `generate`'s.
"""

from collections.abc import Generator, Sequence
from typing import NamedTuple

import torch

from medqa_core.answering.decoder import Decoder, Logits, Prompt
from medqa_core.answering.lookup import Lookup
from medqa_core.answering.question import GenerationSettings

GREEDY_BELOW = 1e-3
"""A temperature this near to zero is greedy: the likeliest token has all the probability that a float holds."""


class Step(NamedTuple):
    """One more token of a column, and whether the column ends with it; the end token itself counts as None."""

    column: int
    token: int | None
    last: bool


def stream(
    decoder: Decoder, prompts: Sequence[Prompt], limits: Sequence[int], settings: GenerationSettings, end: int
) -> Generator[Step | None, None, None]:
    """The tokens of all columns as they come; None where a part of the prompts was read. Closing it stops the models.

    Args:
        decoder: what decodes.
        prompts: one for each column.
        limits: tokens that each answer may have.
        settings: how tokens are chosen.
        end: the token that ends an answer.
    """
    if not prompts:
        return
    batch = decoder.start(prompts)
    while batch.read():
        yield None
    choosers = [_Chooser(settings, *column, end) for column in zip(prompts, limits, strict=True)]
    rows = list(range(len(prompts)))
    logits = batch.logits()[:, None]
    given: list[list[int]] = [[] for _ in rows]  # the guesses in each row's last step
    while True:
        backs, following = [], []
        for row, found, guesses in zip(rows, logits, given, strict=True):
            chosen = choosers[row].choose(found, guesses)
            for token in chosen:
                last = choosers[row].add(token)
                yield Step(row, None if token == end else token, last)
            backs.append(len(found) - len(chosen))
            following.append(chosen[-1])
        left = [place for place, row in enumerate(rows) if not choosers[row].ended]
        if not left:
            return
        if any(backs):
            batch.take_back(backs)
        if len(left) < len(rows):
            batch.keep(left)
            rows, following = [rows[place] for place in left], [following[place] for place in left]
        given = _guesses([choosers[row] for row in rows])
        logits = batch.step([[token, *guesses] for token, guesses in zip(following, given, strict=True)])


def _guesses(choosers: Sequence["_Chooser"]) -> list[list[int]]:
    """As many guesses for each row: one that has fewer gets a token more to be tried, which costs nothing here."""
    found = [chooser.guesses() for chooser in choosers]
    most = max(map(len, found))
    return [guesses + [0] * (most - len(guesses)) for guesses in found]


class _Chooser:
    """How one column's tokens are chosen, and how far it is."""

    def __init__(self, settings: GenerationSettings, prompt: Prompt, limit: int, end: int) -> None:
        self.ended = False
        self._temperature = settings.temperature
        self._random = torch.Generator(device="cpu").manual_seed(settings.seed)
        self._left = limit
        self._end = end
        self._lookup = Lookup(prompt.ids)
        self._guessed = 0

    def choose(self, logits: Logits, guesses: Sequence[int]) -> list[int]:
        """The tokens that follow, as long as the guesses before them are right: one at least.

        Args:
            logits: (1 + guesses, vocabulary).
            guesses: what was put into the step that gave these logits.
        """
        chosen: list[int] = []
        for place, row in enumerate(logits):
            token = self._one(row)
            chosen.append(token)
            if place == len(guesses) or token != guesses[place] or token == self._end or len(chosen) == self._left:
                break
        self._lookup.learn(self._guessed, min(self._guessed, len(chosen) - 1))
        return chosen

    def add(self, token: int) -> bool:
        """Count a token that was chosen; whether the column ends with it."""
        self._left -= 1
        self._lookup.add(token)
        self.ended = token == self._end or self._left <= 0
        return self.ended

    def guesses(self) -> list[int]:
        """What may follow the last token."""
        found = self._lookup.guesses(self._left - 1)
        self._guessed = len(found)
        return found

    def _one(self, logits: Logits) -> int:
        if self._temperature < GREEDY_BELOW:
            return int(logits.argmax())
        probabilities = torch.softmax(torch.from_numpy(logits).double() / self._temperature, dim=-1)
        return int(torch.multinomial(probabilities, 1, generator=self._random))
