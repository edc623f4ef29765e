"""What of an answer its passages bear out, counted in content words: those that are neither function words nor the
question's own. Words in common are no proof that a passage says the same; a word that no passage has was made up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from medqa_core.data.function_words import function_words, language_of
from medqa_core.data.sentences import starts
from medqa_core.data.words import words
from medqa_core.models.prompt import cited, without_citations

LEAST_SUPPORT = 0.6
"""A passage with a smaller share of a sentence's content words does not support it: docs/decisions/0040."""


@dataclass(frozen=True)
class Sentence:
    """One sentence of an answer, or one item of a list in it."""

    text: str
    """As it stands in the answer, with what follows it up to the next one, without the numbers of passages."""
    passage: int | None
    """The passage that supports it, counted from 1; None where none does."""
    share: float | None
    """Of its content words, that the best passage holds, 0 to 1; None where it has none, and nothing to support."""


def supported(answer: str, question: str, passages: Sequence[str], language: str | None) -> float | None:
    """The share of an answer's content words that stand in any of the passages, 0 to 1.

    Args:
        answer: without the numbers of passages.
        question: what was asked.
        passages: what was read.
        language: whose function words are left out (data.function_words.LISTS).

    Returns:
        None for an answer without content words, or without passages.
    """
    said = _content(answer, question, language)
    return _share(said, _known(passages)) if said and passages else None


def sentences(answer: str, question: str, passages: Sequence[str]) -> tuple[Sentence, ...]:
    """The sentences of an answer, each with the passage that holds the largest share of its content words.

    Of passages that hold as much, one whose number the answer names comes first, then the better one. The texts of all
    sentences together are the answer without such numbers.
    """
    named = cited(answer)
    text = without_citations(answer).strip()
    language = language_of(passages)
    known = [_known([passage]) for passage in passages]
    order = sorted(range(len(passages)), key=lambda place: (place + 1 not in named, place))
    found = []
    for start, stop in pairwise([*starts(text), len(text)]):
        said = _content(text[start:stop], question, language)
        best = max(order, key=lambda place: _share(said, known[place]), default=None) if said else None
        share = None if not said else 0.0 if best is None else _share(said, known[best])
        holds = best is not None and share is not None and share >= LEAST_SUPPORT
        found.append(Sentence(text[start:stop], best + 1 if holds and best is not None else None, share))
    return tuple(one for one in found if one.text)


def _content(text: str, question: str, language: str | None) -> list[str]:
    left_out = function_words(language) | set(words(question))
    return [word for word in words(text) if word not in left_out]


def _known(passages: Iterable[str]) -> set[str]:
    return {word for passage in passages for word in words(passage)}


def _share(said: Sequence[str], known: set[str]) -> float:
    return sum(word in known for word in said) / len(said)
