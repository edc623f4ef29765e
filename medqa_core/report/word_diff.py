"""Word-level comparison of two texts: which words of one stand in the other at that place."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import NamedTuple

_TOKEN = re.compile(r"\S+|\s+")
_EDGE = re.compile(r"^\W+|\W+$")
MOST_WORDS = 1500
"""Words up to which texts are compared; what follows is in neither and counts as not marked."""


class Piece(NamedTuple):
    """A piece of a text, and whether its words are the ones that were looked for."""

    text: str
    marked: bool


def differing(text: str, other: str) -> list[Piece]:
    """`text` in pieces, marked where its words are not in `other` at that place.

    Case and punctuation at a word's edge do not count as a difference.
    """
    return list(_pieces(*_compared(text, other, shared=False)))


def shared(text: str, other: str) -> list[Piece]:
    """`text` in pieces, marked where its words are in `other` in the same order."""
    return list(_pieces(*_compared(text, other, shared=True)))


def _compared(text: str, other: str, *, shared: bool) -> tuple[list[str], set[int]]:
    """The words and gaps of `text`, and the places of the words to mark."""
    tokens = _TOKEN.findall(text)
    places = [n for n, token in enumerate(tokens) if not token.isspace()][:MOST_WORDS]
    theirs = [_key(word) for word in other.split()[:MOST_WORDS]]
    same: set[int] = set()
    matcher = SequenceMatcher(None, [_key(tokens[n]) for n in places], theirs, autojunk=False)
    for block in matcher.get_matching_blocks():
        same.update(places[block.a : block.a + block.size])
    return tokens, same if shared else set(places) - same


def _key(word: str) -> str:
    return _EDGE.sub("", word).casefold() or word


def _pieces(tokens: list[str], wanted: set[int]) -> Iterator[Piece]:
    """Neighbours of a kind in one piece, the space between two marked words included."""
    kept: list[str] = []
    inside = False
    for place, token in enumerate(tokens):
        joins = token.isspace() and inside and place + 1 in wanted
        if (place in wanted or joins) != inside:
            if kept:
                yield Piece("".join(kept), inside)
            kept, inside = [], not inside
        kept.append(token)
    if kept:
        yield Piece("".join(kept), inside)
