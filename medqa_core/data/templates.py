"""Text that answers on many topics have in common: the sentences of a form, with the topic's name filled in.

A run of eight words is template text if, with the topic's name masked, it stands in answers on five topics or more.
Eight words are the run that counts as copied (`overlap.COPIED_RUN`); five topics are too many for a coincidence of
eight words, and few enough to find the form of a small source.

It is a property of a data set, so it is learnt from all usable pairs, those of the test set included: from the 3,500
training answers of MedQuAD's reference split alone a quarter of it stays unseen (24% of the words of the test
references instead of 32%).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medqa_core.data.overlap import COPIED_RUN
from medqa_core.data.pairs import QAPair, normalise
from medqa_core.data.patterns import TOPIC, masked
from medqa_core.data.words import word_spans, words

RUN = COPIED_RUN
"""Words in a row that make a template, the topic's name counted as one."""
TOPICS = 5
"""Different topics in whose answers a run must stand."""
STEADY = 2
"""Neighbouring runs belong to one template if neither stands in more than this many times the other's topics."""

_BASE = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Template:
    """A form that answers have in common."""

    text: str
    """As one of the answers has it, with `TOPIC` for the topic's name."""
    words: int
    """The topic's name counted as one."""
    topics: int
    """In whose answers it stands from its first word to its last."""


class Templates:
    """What is template text, learnt from answers; empty where they have nothing in common."""

    def __init__(self, pairs: Sequence[QAPair]) -> None:
        """See `learn`."""
        self._pairs = tuple(pairs)
        self._ids: dict[str, int] = {}
        answers = [self._numbered(pair) for pair in pairs]
        none = np.empty(0, dtype=np.int64)
        self._tokens = np.concatenate([none, *(tokens for tokens, _ in answers)])
        self._lengths = np.concatenate([none, *(lengths for _, lengths in answers)])
        sizes = np.array([len(tokens) for tokens, _ in answers], dtype=np.int64)
        self._bounds = np.concatenate([[0], np.cumsum(sizes)])
        # Which answer each token is of; a run lies in one of them.
        self._answer = np.repeat(np.arange(len(answers)), sizes)
        self._topic = _topics(pairs)
        self._hashes, self._starts = self._by_hash()
        self._runs, self._support = self._common()

    @classmethod
    def learn(cls, pairs: Sequence[QAPair]) -> "Templates":
        """The templates in the answers of `pairs`: two seconds for MedQuAD's 3.2 million words.

        Pairs without a topic are told apart by their document, and without one by their question.
        """
        return _learnt(tuple(pairs))

    def __bool__(self) -> bool:
        return len(self._runs) > 0

    def mask(self, text: str, topic: str) -> list[bool]:
        """For each of `words(text)` whether it stands in a template; all words of a topic's name do, or none."""
        tokens, lengths = masked(words(text), words(topic))
        numbers = np.array([self._ids.get(token, -1) for token in tokens], dtype=np.int64)
        covered = np.zeros(len(tokens), dtype=np.bool_)
        for start in np.flatnonzero(np.isin(_hashes(numbers), self._runs)):
            covered[start : start + RUN] |= bool((numbers[start : start + RUN] >= 0).all())
        return [bool(flag) for flag in np.repeat(covered, lengths)]

    def share(self, text: str, topic: str) -> float:
        """The share of the words of `text` that stand in templates, 0 to 1; 0 where there is no word."""
        mask = self.mask(text, topic)
        return sum(mask) / len(mask) if mask else 0.0

    def counts(self) -> list[tuple[int, int]]:
        """Of each answer that was learnt from, how many words stand in templates, and how many it has."""
        inside = np.where(self._outside(), 0, self._lengths)
        sums = [np.concatenate([[0], np.cumsum(values)])[self._bounds] for values in (inside, self._lengths)]
        return list(zip(*(np.diff(values).tolist() for values in sums), strict=True))

    def remaining(self) -> Iterator[list[str]]:
        """What is left of each answer that was learnt from, word by word: `TOPIC` for the topic's name, no template."""
        outside, spelt, bounds = self._outside(), list(self._ids), self._bounds.tolist()
        for start, end in pairwise(bounds):
            yield [spelt[token] for token in self._tokens[start:end][outside[start:end]].tolist()]

    def _outside(self) -> NDArray[np.bool_]:
        """For each token of the corpus whether it stands in no template."""
        outside = np.ones(len(self._tokens), dtype=np.bool_)
        starts = np.flatnonzero(self._support)
        for k in range(RUN):
            outside[starts + k] = False
        return outside

    def longest(self, n: int) -> list[Template]:
        """The `n` longest templates, none inside another: runs joined as long as about as many topics have them."""
        found: list[Template] = []
        taken: list[bytes] = []
        for start, end in self._candidates() if n else ():
            tokens = self._tokens[start:end].tobytes()
            if any(_inside(tokens, other) for other in taken):
                continue
            topics = {int(self._topic[self._answer[place]]) for place in self._places(start, end)}
            if len(topics) >= TOPICS:
                taken.append(tokens)
                found.append(Template(self._text(start, end), end - start, len(topics)))
            if len(found) == n:
                break
        return found

    def _numbered(self, pair: QAPair) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The number of each token of an answer, and of how many words it is."""
        tokens, lengths = masked(words(pair.answer), words(pair.topic))
        numbers = [self._ids.setdefault(token, len(self._ids)) for token in tokens]
        return np.array(numbers, dtype=np.int64), np.array(lengths, dtype=np.int64)

    def _by_hash(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """The hash of each run within one answer, sorted, equals by their topics, and where each run starts."""
        hashes = _hashes(self._tokens)
        starts = np.flatnonzero(self._answer[: len(hashes)] == self._answer[len(self._answer) - len(hashes) :])
        order = np.lexsort((self._topic[self._answer[starts]], hashes[starts]))
        return hashes[starts[order]], starts[order]

    def _common(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """The hashes of the runs on enough topics, sorted, and for each token on how many topics its run stands."""
        topics = self._topic[self._answer[self._starts]]
        new_run = np.ones(len(topics), dtype=np.bool_)
        new_run[1:] = self._hashes[1:] != self._hashes[:-1]
        new_topic = new_run.copy()
        new_topic[1:] |= topics[1:] != topics[:-1]
        run = np.cumsum(new_run) - 1
        counts = np.bincount(run, weights=new_topic).astype(np.int64)
        support = np.zeros(len(self._tokens), dtype=np.int64)
        support[self._starts] = np.where(counts >= TOPICS, counts, 0)[run]
        return self._hashes[new_run][counts >= TOPICS], support

    def _candidates(self) -> list[tuple[int, int]]:
        """Where a template may start and end, each once, the longest first."""
        kept: dict[bytes, tuple[int, int]] = {}
        for start, end in self._steady():
            kept.setdefault(self._tokens[start:end].tobytes(), (start, end))
        return sorted(kept.values(), key=lambda place: (place[0] - place[1], place[0]))

    def _steady(self) -> Iterator[tuple[int, int]]:
        """Stretches of one answer whose runs stand on about as many topics."""
        start = last = least = most = -1
        on = np.flatnonzero(self._support)
        for place, topics, answer in zip(
            on.tolist(), self._support[on].tolist(), self._answer[on].tolist(), strict=True
        ):
            low, high = min(least, topics), max(most, topics)
            if place != last + 1 or answer != self._answer[last] or high > STEADY * low:
                if start >= 0:
                    yield start, last + RUN
                start, low, high = place, topics, topics
            last, least, most = place, low, high
        if start >= 0:
            yield start, last + RUN

    def _places(self, start: int, end: int) -> list[int]:
        """Where else the tokens from `start` to `end` stand whole in one answer, itself included."""
        wanted = self._tokens[start:end]
        first = _hashes(wanted[:RUN])
        low, high = np.searchsorted(self._hashes, first[0]), np.searchsorted(self._hashes, first[0], "right")
        size = end - start
        return [
            place
            for place in self._starts[low:high].tolist()
            if self._answer[place : place + size][-1] == self._answer[place]
            and np.array_equal(self._tokens[place : place + size], wanted)
        ]

    def _text(self, start: int, end: int) -> str:
        """The tokens from `start` to `end` as their answer has them."""
        number = int(self._answer[start])
        first = int(self._bounds[number])
        pair = self._pairs[number]
        tokens, lengths = masked(words(pair.answer), words(pair.topic))
        spans = word_spans(pair.answer)
        ends = np.cumsum(lengths)
        pieces, last = [], None
        for k in range(start - first, end - first):
            begin, stop = spans[ends[k] - lengths[k]][0], spans[ends[k] - 1][1]
            pieces.append(pair.answer[last:begin] if last is not None else "")
            pieces.append(TOPIC if tokens[k] == TOPIC else pair.answer[begin:stop])
            last = stop
        return "".join(pieces)


@lru_cache(maxsize=2)
def _learnt(pairs: tuple[QAPair, ...]) -> Templates:
    """Kept, since a split and its description ask for the same."""
    return Templates(pairs)


def _hashes(tokens: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A hash of each run of tokens, by where it starts."""
    return run_hashes(tokens.astype(np.uint64) + np.uint64(1), RUN)


def run_hashes(values: NDArray[np.uint64], n: int) -> NDArray[np.uint64]:
    """A hash of each run of `n` values, by where it starts: a polynomial of them, modulo 2**64."""
    size = max(len(values) - n + 1, 0)
    total = np.zeros(size, dtype=np.uint64)
    for k in range(n):
        total += values[k : k + size] * np.uint64(pow(_BASE, k, 2**64))
    return total


def _topics(pairs: Sequence[QAPair]) -> NDArray[np.int64]:
    """A number for each pair's topic, the same for those on the same one."""
    numbers: dict[str, int] = {}
    names = [normalise(pair.topic) or pair.document or normalise(pair.question) for pair in pairs]
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _inside(tokens: bytes, other: bytes) -> bool:
    """Whether a run of 8-byte tokens stands in another."""
    place = other.find(tokens)
    while place >= 0 and place % 8:
        place = other.find(tokens, place + 1)
    return place >= 0
