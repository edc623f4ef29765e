"""Word-level comparison of two texts, as escaped markup."""

import re
from difflib import SequenceMatcher
from html import escape

_TOKEN = re.compile(r"\S+|\s+")
_EDGE = re.compile(r"^\W+|\W+$")
MOST_WORDS = 1500
"""Longer texts are compared up to here and shown whole."""


def marked(text: str, other: str, *, shared: bool = False) -> str:
    """`text` as markup with the words marked that are not in `other` at that place, or with `shared` those that are.

    Case and punctuation at a word's edge do not count as a difference.
    """
    tokens = _TOKEN.findall(text)
    places = [n for n, token in enumerate(tokens) if not token.isspace()][:MOST_WORDS]
    theirs = [_key(word) for word in other.split()[:MOST_WORDS]]
    same: set[int] = set()
    matcher = SequenceMatcher(None, [_key(tokens[n]) for n in places], theirs, autojunk=False)
    for block in matcher.get_matching_blocks():
        same.update(places[block.a : block.a + block.size])
    wanted = same if shared else set(places) - same
    return "".join(_runs(tokens, wanted))


def _key(word: str) -> str:
    return _EDGE.sub("", word).casefold() or word


def _runs(tokens: list[str], wanted: set[int]) -> list[str]:
    """The tokens with neighbours that are wanted in one mark, the space between them included."""
    parts: list[str] = []
    inside = False
    for place, token in enumerate(tokens):
        joins = token.isspace() and inside and place + 1 in wanted
        if (place in wanted or joins) != inside:
            parts.append("</mark>" if inside else "<mark>")
            inside = not inside
        parts.append(escape(token))
    return [*parts, "</mark>"] if inside else parts
