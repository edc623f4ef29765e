"""Function words (articles, pronouns, conjunctions, auxiliaries): words that say nothing about a topic.

The lists are those of bm25s; that of English is NLTK's, which contains the pieces of contractions.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cache

from bm25s import stopwords

from medqa_core.data.words import words

LISTS = {
    "English": stopwords.STOPWORDS_EN_PLUS,
    "German": stopwords.STOPWORDS_GERMAN,
    "Dutch": stopwords.STOPWORDS_DUTCH,
    "French": stopwords.STOPWORDS_FRENCH,
    "Spanish": stopwords.STOPWORDS_SPANISH,
    "Portuguese": stopwords.STOPWORDS_PORTUGUESE,
    "Italian": stopwords.STOPWORDS_ITALIAN,
    "Russian": stopwords.STOPWORDS_RUSSIAN,
    "Swedish": stopwords.STOPWORDS_SWEDISH,
    "Norwegian": stopwords.STOPWORDS_NORWEGIAN,
    "Danish": stopwords.STOPWORDS_DANISH,
    "Turkish": stopwords.STOPWORDS_TURKISH,
}
LETTERS = frozenset("dmoty")
"""What such lists have of contractions and medicine has of its own: vitamin D, T cells."""
SAMPLE = 1_000
"""Texts by which a language is told."""
ENOUGH = 0.2
"""Share of words that a language's list must cover; of prose it covers 30 to 50%."""


def language_of(texts: Iterable[str]) -> str | None:
    """The language whose function words cover the most of the first SAMPLE texts; None where none covers enough."""
    counted = Counter(word for _, text in zip(range(SAMPLE), texts, strict=False) for word in words(text))
    if not counted:
        return None
    covered = {name: sum(counted[word] for word in function_words(name)) / counted.total() for name in LISTS}
    best = max(covered, key=lambda name: covered[name])
    return best if covered[best] >= ENOUGH else None


@cache
def function_words(language: str | None) -> frozenset[str]:
    """Those of a language in LISTS, lower case; none for None."""
    if language is None:
        return frozenset()
    return frozenset(word for entry in LISTS[language] for word in words(entry)) - LETTERS
