"""Prompt-lookup decoding (Saxena 2023): what follows next is guessed from what stood there before.

Answers copy from the passages in their prompt, and small models repeat themselves. A step on a few guessed tokens reads
the weights once, like a step on one; those that the model would have chosen itself are kept, so no token changes.
"""

from collections.abc import Sequence

MATCH = 3
"""Tokens that must agree before those that follow them are guessed again."""
MOST = 7
"""Tokens guessed at once."""


class Lookup:
    """The tokens of one column, prompt and answer, and what to guess after them."""

    def __init__(self, prompt: Sequence[int]) -> None:
        self._tokens: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        """Where the latest run of these tokens ended, the one at the very end not counted."""
        self._count = MOST // 2
        for token in prompt:
            self.add(token)

    def add(self, token: int) -> None:
        """One more token."""
        if len(self._tokens) >= MATCH:
            self._after[tuple(self._tokens[-MATCH:])] = len(self._tokens)
        self._tokens.append(token)

    def guesses(self, most: int) -> list[int]:
        """The tokens that may follow, the next one first; none where these tokens are new."""
        place = self._after.get(tuple(self._tokens[-MATCH:]))
        if place is None:
            return []
        return self._tokens[place : place + min(most, self._count)]

    def learn(self, guessed: int, right: int) -> None:
        """Guess more next time where all guesses were right, fewer where many were wrong."""
        if guessed:
            self._count = min(MOST, self._count + 2) if right == guessed else max(1, (self._count + right) // 2)
