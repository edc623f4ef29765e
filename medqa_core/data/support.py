"""What of a text others bear out, in content words: those that are neither function words nor the question's own.

Words in common are no proof that a passage says the same; a word that no passage has was made up.
"""

from collections.abc import Iterable, Sequence

from medqa_core.data.function_words import function_words
from medqa_core.data.words import words


def supported(answer: str, question: str, passages: Sequence[str], language: str | None) -> float | None:
    """The share of an answer's content words that stand in any of the passages, 0 to 1.

    Args:
        answer: without the numbers of passages.
        question: what was asked.
        passages: what was read.
        language: whose function words are left out (`function_words.LISTS`).

    Returns:
        None for an answer without content words, or without passages.
    """
    said = content_words(answer, question, language)
    return share_in(said, known_words(passages)) if said and passages else None


def content_words(text: str, question: str, language: str | None) -> list[str]:
    """The words of `text` but function words and those of the question."""
    left_out = function_words(language) | set(words(question))
    return [word for word in words(text) if word not in left_out]


def known_words(passages: Iterable[str]) -> set[str]:
    """All words of some passages."""
    return {word for passage in passages for word in words(passage)}


def share_in(said: Sequence[str], known: set[str]) -> float:
    """The share of `said`, which is not empty, that is known."""
    return sum(word in known for word in said) / len(said)
