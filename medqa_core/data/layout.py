"""A text's paragraphs and lists: a paragraph a line, and each item of a list a line that begins with "- "."""

import re

_BREAK = re.compile(r"[ \t\u00a0]*[\r\n]\s*|[ \t\u00a0]{2,}")
_ITEM = re.compile(r"[-•*·]\s+(?=\S)")
_INTRODUCED = re.compile(r":[ \t\u00a0]+([-•*·]\s)")
_ENDED = (".", "!", "?", ":", '."', ".)", "?)", '?"')
WIDE = 4
"""Blanks that break a line whatever stands before them; fewer do so after a sentence only."""


def laid_out(text: str) -> str:
    """`text` with its paragraphs and list items on lines of their own and single spaces within them.

    Lines are broken where the text has line breaks or runs of blanks: MedQuAD's XML has both. A line that goes on in
    lower case is one with the line before it.
    """
    text = _INTRODUCED.sub(r":\n\1", text)
    lines: list[str] = []
    start, gap = 0, "\n"
    for found in [*_BREAK.finditer(text), None]:
        piece = text[start : found.start() if found else len(text)].strip()
        if piece:
            _add(lines, " ".join(piece.split()), gap)
            gap = ""
        if found is not None:
            start, gap = found.end(), gap + found.group()
    return "\n".join(lines)


def layout_of(raw: str, answer: str) -> str | None:
    """`raw` laid out; None where it has one line alone, which `answer`, the same text on one line, says already."""
    found = laid_out(raw)
    return found if found != answer else None


def _add(lines: list[str], piece: str, gap: str) -> None:
    """Put `piece`, which stands behind `gap`, on a line of its own or at the last one's end."""
    item = _ITEM.match(piece)
    if item is not None:
        lines.append("- " + piece[item.end() :])
    elif piece in "-•*·":
        return
    elif not lines or _breaks(lines[-1], gap, piece):
        lines.append(piece)
    else:
        lines[-1] = f"{lines[-1]} {piece}"


def _breaks(before: str, gap: str, piece: str) -> bool:
    if piece[0].islower():
        return False
    return "\n" in gap or "\r" in gap or len(gap) >= WIDE or before.endswith(_ENDED) or before.startswith("- ")
