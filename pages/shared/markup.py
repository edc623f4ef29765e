"""Text that came from a model, a file or a URL is data: these are the ways in which it reaches the page."""

import re
from collections.abc import Iterable
from html import escape

import streamlit as st

from medqa_core.report.names import verdict_mark

_PUNCTUATION = re.compile(r"(?!(?<=\w)[-./](?=\w)|#(?=\w))([!\"#$&()*+\-./:<=>@\[\\\]^_`{|}~])")
"""ASCII punctuation that Markdown could take for its own, not as part of a word or of a number as in `#6`."""


def escape_markdown(text: str) -> str:
    """`text` so that Streamlit's Markdown shows it letter for letter, on one line.

    A punctuation mark that could mean something gets a backslash, and no other: a label's Markdown is also its
    control's name, which a screen reader reads out as it is written. A word joiner after a colon or inside an address
    keeps the directives, the emoji codes and the links that are looked for after parsing from taking hold.
    """
    line = " ".join(text.split())
    joined = re.sub(r":(?=\w)|(?<=www)\.|://|@", lambda found: found.group() + "\u2060", line)
    return _PUNCTUATION.sub(r"\\\1", joined)


def html(body: str) -> None:
    """Show `body`, markup whose data parts went through `escape`, in the style of the app."""
    st.html(f'<div class="mq">{body}</div>')


def rich(text: str) -> str:
    """`text` escaped, with `…` in backquotes as code: how the core writes a command."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def eyebrow(parts: Iterable[str]) -> None:
    """The muted line above a title: which run this is."""
    shown = [f'<span class="fit">{escape(p)}</span>' if len(p) < 16 else escape(p) for p in parts]
    html(f'<p class="mq-eyebrow">{" · ".join(shown)}</p>')


def answer(sentence: str, word: str = "") -> None:
    """The page's answer, in one plain sentence under its question; a `word` that it opens with stands out."""
    rest = sentence.removeprefix(word)
    first = f'<strong class="mq-word">{escape(word)}</strong>' if word and rest != sentence else ""
    html(f'<p class="mq-answer" role="status">{first}{rich(rest if first else sentence)}</p>')


def caveat(sentence: str) -> None:
    """What speaks against the page's answer, below it."""
    html(f'<p class="mq-caveat">{rich(sentence)}</p>')


def note(sentence: str) -> None:
    """A muted line: a caption, a unit, how something was measured."""
    html(f'<p class="mq-note">{rich(sentence)}</p>')


def paragraphs(lines: Iterable[str]) -> str:
    """Each line as a paragraph, escaped."""
    return "".join(f"<p>{rich(line)}</p>" for line in lines)


def bullets(lines: Iterable[str]) -> str:
    """The lines as a list, escaped."""
    return "<ul>" + "".join(f"<li>{rich(line)}</li>" for line in lines) + "</ul>"


def verdict(of: str) -> str:
    """A verdict as its mark, `▲ better`, in its colour: the sign and the word carry the meaning, colour goes along."""
    kind = of if of in ("better", "worse") else "muted"
    return f'<span class="mq-{kind} fit">{escape(verdict_mark(of))}</span>'
