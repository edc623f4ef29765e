"""Where sentences begin, and where a text may end: after a sentence, or after an item of a list."""

import re
from collections.abc import Callable

SENTENCE_GAP = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"')\]]))\s+(?=[\"'(\[]?[A-Z0-9])|(?<=[。！？])")
"""What stands between two sentences."""
_ITEM_END = re.compile(r"^- .*$", re.MULTILINE)
_LINE_END = re.compile(r"\n")
_GAP_BEFORE_LINE = re.compile(r"(?<=[.!?。！？])\n")


def ends(text: str) -> list[int]:
    """The places in `text` where a sentence or a list's item ends, in order; the end of `text` is the last.

    A heading's line and a line that introduces a list are no ends.
    """
    found = {gap.start() for gap in SENTENCE_GAP.finditer(text)}
    found |= {gap.start() for gap in _GAP_BEFORE_LINE.finditer(text)}
    found |= {item.end() for item in _ITEM_END.finditer(text)}
    return [*sorted(place for place in found if 0 < place < len(text) and text[place - 1] != ":"), len(text)]


def starts(text: str) -> list[int]:
    """The places in `text` where a sentence or a line begins, in order; the first is 0."""
    lines = (found.end() for found in _LINE_END.finditer(text))
    return sorted({0, *(gap.end() for gap in SENTENCE_GAP.finditer(text)), *lines})


def trim(text: str, fits: Callable[[str], bool]) -> str:
    """The longest beginning of `text` that fits and ends where a sentence or an item does; "" where none fits.

    Args:
        text: an answer.
        fits: whether a text is short enough; a beginning of one that fits must fit too.
    """
    places = ends(text)
    low, high = 0, len(places)  # so many of the ends fit: at least, at most
    if fits(text):
        return text
    while low < high:
        middle = (low + high + 1) // 2
        if fits(text[: places[middle - 1]]):
            low = middle
        else:
            high = middle - 1
    return text[: places[low - 1]].rstrip() if low else ""
