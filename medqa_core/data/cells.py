"""The text of a cell: HTML made plain, and words that stand for "no value" told from answers."""

import html
import re

from medqa_core.data.sentences import starts

PLACEHOLDERS = frozenset(
    {"nan", "-nan", "n/a", "n.a.", "na", "null", "none", "nil", "<na>", "#n/a", "#na", "#value!", "#ref!", "#name?"}
    | {"<noinput>", "tbd", "t.b.d.", "todo", "(blank)", "(empty)", "[deleted]", "[removed]", "undefined"}
)
"""What programs and people write where there is nothing, in lower case."""

_HIDDEN = re.compile(r"<!--.*?-->|<(script|style)\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_ATTRIBUTES = r"(?:\s+[\w:-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'<>]+))*\s*/?"
_BLOCKS = "p|div|br|hr|ul|ol|dl|dt|dd|table|thead|tbody|tr|h[1-6]|section|article|blockquote|pre|header|footer"
_INLINE = "a|abbr|b|big|cite|code|del|em|font|i|img|ins|mark|q|s|small|span|strong|strike|sub|sup|tt|u|td|th|html|body"
_ITEM = re.compile(rf"<li{_ATTRIBUTES}>", re.IGNORECASE)
_BREAK = re.compile(rf"</?(?:{_BLOCKS}){_ATTRIBUTES}>|</li\s*>", re.IGNORECASE)
_TAG = re.compile(rf"</?(?:{_INLINE}){_ATTRIBUTES}>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_PASSES = 3
"""Exports escape HTML once or twice more at times: `&amp;lt;p&amp;gt;`."""


def plain_text(text: str) -> str:
    """`text` without HTML: paragraphs and list items on lines of their own, entities as their characters.

    Only tags that HTML has are taken for tags, so that "p < 0.05" and "<5 mg" stay.
    """
    for _ in range(_PASSES):
        if "<" not in text and "&" not in text:
            break
        text = _BREAK.sub("\n", _ITEM.sub("\n- ", _HIDDEN.sub("", text)))
        text = _ENTITY.sub(lambda found: html.unescape(found.group()), _TAG.sub("", text))
    return text


def is_placeholder(text: str) -> bool:
    """Whether a cell says that it has no value: a word for it, or no letter and no digit at all."""
    bare = text.strip()
    return not any(map(str.isalnum, bare)) or bare.casefold() in PLACEHOLDERS


def is_bare_question(text: str) -> bool:
    """Whether an answer is one question and nothing else: "How might it be treated?" tells nobody anything."""
    bare = text.strip()
    return bare.endswith("?") and len(starts(bare)) == 1
