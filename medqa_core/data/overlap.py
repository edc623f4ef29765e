"""How much of a text can be found word for word in another set of texts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np

from medqa_core.data.words import word_spans, words

N = 13
"""Words in a row: the length that GPT-3's contamination study used (Brown et al. 2020, appendix C)."""
COPIED_RUN = 8
"""Words in a row that count as copied: shorter than N, so that a copy with a name exchanged here and there is seen."""
NEAR_RUN = 4
"""Words in a row that count as nearly copied, where they are not copied."""
NEAR_RUNS = 2
"""Runs of NEAR_RUN that a text must hold to count as the nearest by them alone: one run is a turn of phrase."""

SpanKind = Literal["copied", "near copy", "novel"]
_WEAKEST: tuple[SpanKind, ...] = ("copied", "near copy", "novel")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text, with the spaces and punctuation after its words."""

    text: str
    kind: SpanKind
    id: str | None
    """Of the text that holds its words; None where it is novel."""


class NgramIndex:
    """The word n-grams of a set of texts."""

    def __init__(self, texts: Iterable[str], n: int = N) -> None:
        self.n = n
        self._known = {gram for text in texts for gram in _grams(words(text), n)}

    def share(self, text: str) -> float:
        """The share of `text`'s n-grams that the index holds, 0 to 1; a text shorter than n words is one n-gram."""
        grams = list(_grams(words(text), self.n))
        return sum(gram in self._known for gram in grams) / len(grams) if grams else 0.0


class CopyIndex:
    """Which of a set of texts another text is copied from. 24 bytes a word of the texts, more while it is built."""

    def __init__(self, texts: Iterable[tuple[str, str]], n: int = COPIED_RUN) -> None:
        """`texts`: the id and the text of each."""
        self.n = n
        known = [(id_, words(text)) for id_, text in texts]
        self._ids = [id_ for id_, _ in known]
        self._copied = _Holders((tokens for _, tokens in known), n)
        self._near = _Holders((tokens for _, tokens in known), NEAR_RUN)

    def nearest(self, text: str) -> tuple[float, str | None]:
        """The share of `text`'s words that lie in runs of n words which the nearest text holds too, and that one's id.

        The nearest is the one text that holds most of the runs, the first of equals; (0, None) where none holds any.
        """
        tokens = words(text)
        nearest, _ = self._copied.most(tokens)
        if nearest is None:
            return 0.0, None
        return sum(self._copied.covered(tokens, nearest)) / len(tokens), self._ids[nearest]

    def spans(self, text: str) -> list[Span]:
        """`text` in pieces by what the nearest text holds of it; joined they are `text` again.

        The nearest is that of `nearest`; where no text holds a run of n words, the one that holds most runs of
        NEAR_RUN, if it holds NEAR_RUNS of them or more.
        """
        tokens = words(text)
        nearest, _ = self._copied.most(tokens)
        if nearest is None:
            nearest, runs = self._near.most(tokens)
            if nearest is None or runs < NEAR_RUNS:
                return [Span(text, "novel", None)] if text else []
        copied, near = self._copied.covered(tokens, nearest), self._near.covered(tokens, nearest)
        kinds: list[SpanKind] = [
            "copied" if c else "near copy" if n else "novel" for c, n in zip(copied, near, strict=True)
        ]
        return [Span(part, kind, None if kind == "novel" else self._ids[nearest]) for part, kind in _parts(text, kinds)]


class _Holders:
    """Which texts hold a word n-gram: two flat arrays, since a list for each gram takes ten times the memory."""

    def __init__(self, texts: Iterable[list[str]], n: int) -> None:
        self._n = n
        found = [np.unique(np.fromiter(_grams(tokens, n), dtype=np.int64)) for tokens in texts]
        grams = np.concatenate(found) if found else np.empty(0, dtype=np.int64)
        numbers = np.repeat(np.arange(len(found), dtype=np.int32), [len(one) for one in found])
        order = np.argsort(grams, kind="stable")
        self._grams, self._numbers = grams[order], numbers[order]

    def most(self, tokens: list[str]) -> tuple[int | None, int]:
        """The text that holds most of the runs in `tokens`, the first of equals, and how many; (None, 0): none does."""
        held = [self._numbers[low:high] for low, high in zip(*self._places(tokens), strict=True)]
        counts = np.bincount(np.concatenate(held)) if held else np.empty(0, dtype=np.int64)
        return (int(counts.argmax()), int(counts.max())) if len(counts) else (None, 0)

    def covered(self, tokens: list[str], number: int) -> list[bool]:
        """For each word whether it lies in a run that the text `number` holds too."""
        found = [False] * len(tokens)
        for start, (low, high) in enumerate(zip(*self._places(tokens), strict=True)):
            place = low + np.searchsorted(self._numbers[low:high], number)  # texts of one gram stand in order
            if place < high and self._numbers[place] == number:
                end = min(start + self._n, len(tokens))
                found[start:end] = [True] * (end - start)
        return found

    def _places(self, tokens: list[str]) -> tuple[list[int], list[int]]:
        """For each run of `tokens` where its texts begin and end."""
        grams = np.fromiter(_grams(tokens, self._n), dtype=np.int64)
        return np.searchsorted(self._grams, grams).tolist(), np.searchsorted(self._grams, grams, "right").tolist()


def _parts(text: str, kinds: Sequence[SpanKind]) -> Iterator[tuple[str, SpanKind]]:
    """`text` cut where the kind of its words changes; what is between two words goes with the first of them."""
    start, kind = 0, None
    for place, these in _units(text, kinds):
        found = max(these, key=_WEAKEST.index)
        if kind is not None and found != kind:
            yield text[start:place], kind
            start = place
        kind = found
    if text:
        yield text[start:], kind or "novel"


def _units(text: str, kinds: Sequence[SpanKind]) -> Iterator[tuple[int, Sequence[SpanKind]]]:
    """Where each word of `text` starts, and its kind; of words that share a span, all their kinds."""
    for (start, _), these in groupby(zip(word_spans(text), kinds, strict=True), key=lambda one: one[0]):
        yield start, [kind for _, kind in these]


def _grams(tokens: list[str], n: int) -> Iterable[int]:
    if tokens and len(tokens) < n:
        return iter((hash(tuple(tokens)),))
    return (hash(tuple(tokens[i : i + n])) for i in range(len(tokens) - n + 1))
