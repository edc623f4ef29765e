"""How much of a text can be found word for word in another set of texts."""

from collections import Counter
from collections.abc import Iterable

from medqa_core.data.pairs import words

N = 13
"""Words in a row: the length that GPT-3's contamination study used (Brown et al. 2020, appendix C)."""
COPIED_RUN = 8
"""Words in a row that count as copied: shorter than N, so that a copy with a name exchanged here and there is seen."""


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
    """Which of a set of texts another text is copied from."""

    def __init__(self, texts: Iterable[tuple[str, str]], n: int = COPIED_RUN) -> None:
        """`texts`: the id and the text of each."""
        self.n = n
        self._ids: list[str] = []
        self._holders: dict[int, list[int]] = {}
        for number, (id_, text) in enumerate(texts):
            self._ids.append(id_)
            for gram in set(_grams(words(text), n)):
                self._holders.setdefault(gram, []).append(number)

    def nearest(self, text: str) -> tuple[float, str | None]:
        """The share of `text`'s words that lie in runs of n words which the nearest text holds too, and that one's id.

        The nearest is the one text that holds most of the runs, the first of equals; (0, None) where none holds any.
        """
        tokens = words(text)
        grams = list(_grams(tokens, self.n))
        held = Counter(number for gram in grams for number in self._holders.get(gram, ()))
        if not held:
            return 0.0, None
        nearest = min(held, key=lambda number: (-held[number], number))
        copied: set[int] = set()
        for start, gram in enumerate(grams):
            if nearest in self._holders.get(gram, ()):
                copied.update(range(start, min(start + self.n, len(tokens))))
        return len(copied) / len(tokens), self._ids[nearest]


def _grams(tokens: list[str], n: int) -> Iterable[int]:
    if tokens and len(tokens) < n:
        return iter((hash(tuple(tokens)),))
    return (hash(tuple(tokens[i : i + n])) for i in range(len(tokens) - n + 1))
