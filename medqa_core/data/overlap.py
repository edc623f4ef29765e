"""How much of a text can be found word for word in another set of texts."""

from collections.abc import Iterable

from medqa_core.data.pairs import words

N = 13
"""Words in a row: the length that GPT-3's contamination study used (Brown et al. 2020, appendix C)."""


class NgramIndex:
    """The word n-grams of a set of texts."""

    def __init__(self, texts: Iterable[str], n: int = N) -> None:
        self.n = n
        self._known = {gram for text in texts for gram in _grams(words(text), n)}

    def share(self, text: str) -> float:
        """The share of `text`'s n-grams that the index holds, 0 to 1; a text shorter than n words is one n-gram."""
        grams = list(_grams(words(text), self.n))
        return sum(gram in self._known for gram in grams) / len(grams) if grams else 0.0


def _grams(tokens: list[str], n: int) -> Iterable[int]:
    if tokens and len(tokens) < n:
        return iter((hash(tuple(tokens)),))
    return (hash(tuple(tokens[i : i + n])) for i in range(len(tokens) - n + 1))
