"""Text as a terminal or a log window may show it: what would move the cursor, colour or reorder it is taken out."""

import re
import unicodedata

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
"""Control characters but tab and line feed, marks of direction, invisible ones, halves of a pair."""


def visible(text: str) -> str:
    """`text` without them; its lines and indents stay."""
    return _UNSEEN.sub("", text)


def escaped(json: str) -> str:
    """JSON with them as `\\uXXXX`, which means the same; what stands outside of its texts is none of them."""
    return _UNSEEN.sub(_escape, json)


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


_DROPPED = {"Cc", "Cf", "Co", "Cs"}


def plain(text: str) -> str:
    """`text` on one line without control, bidirectional-override and private-use characters."""
    if text.isascii() and text.isprintable():  # nearly every line
        return re.sub(r" {2,}", " ", text).strip()
    kept = "".join(
        " " if c in "\t\n\r" else c for c in text if c in "\t\n\r" or unicodedata.category(c) not in _DROPPED
    )
    return re.sub(r" {2,}", " ", kept).strip()
