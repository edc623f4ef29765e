"""Which passage each sentence of an answer rests on, by content words in common (data.support)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from medqa_core.data.function_words import language_of
from medqa_core.data.sentences import starts
from medqa_core.data.support import content_words, known_words, share_in
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


def sentences(answer: str, question: str, passages: Sequence[str]) -> tuple[Sentence, ...]:
    """The sentences of an answer, each with the passage that holds the largest share of its content words.

    Of passages that hold as much, one whose number the answer names comes first, then the better one. The texts of all
    sentences together are the answer without such numbers.
    """
    named = cited(answer)
    text = without_citations(answer).strip()
    language = language_of([*passages, question]) or "English"
    known = [known_words([passage]) for passage in passages]
    order = sorted(range(len(passages)), key=lambda place: (place + 1 not in named, place))
    found = []
    for start, stop in pairwise([*starts(text), len(text)]):
        said = content_words(text[start:stop], question, language)
        shares = {place: share_in(said, known[place]) for place in order} if said else {}
        best = max(shares, key=lambda place: shares[place], default=None)
        share = shares[best] if best is not None else 0.0 if said else None
        passage = None if best is None or shares[best] < LEAST_SUPPORT else best + 1
        found.append(Sentence(text[start:stop], passage, share))
    return tuple(one for one in found if one.text)
