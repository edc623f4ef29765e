"""What a word is, in any script: for overlap, copies, templates, keys and the scores of answers.

A text is folded (NFKC, lower case) and cut into runs of letters, digits and underscores; English gives what `\\w+`
gives. A combining mark belongs to the letter before it, so that no word of Hindi or vowelled Arabic falls apart.
Scripts that put no space between words are cut into characters with their marks: Chinese characters, Japanese kana, and
what Unicode says a dictionary is needed for (Line_Break=SA: Thai, Lao, Khmer, Burmese and others). A run of eight words
is a run of eight characters there.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from itertools import accumulate

import regex

_ASCII = re.compile(r"\w+", re.ASCII)
_MARK = r"[[\p{Mn}\p{Mc}]--\p{Variation_Selector}]"
_CHARACTER = r"[[\p{Han}\p{Hiragana}\p{Katakana}\p{Line_Break=SA}ー]&&[\p{L}\p{Nl}]]"
_LETTER = rf"[[\p{{L}}\p{{N}}_]--{_CHARACTER}]"
# Joiners shape letters of Persian and Indic words; at a word's end they are nothing to see.
_WORD = regex.compile(
    rf"(?V1){_CHARACTER}{_MARK}*|{_LETTER}(?:{_LETTER}|{_MARK}|[\u200c\u200d]+(?={_LETTER}|{_MARK}))*"
)
_GRAPHEME = regex.compile(r"\X")
_CHUNK = re.compile(r"\S+|\s+")


def words(text: str) -> list[str]:
    """The words of `text`, lower case, compatibility forms folded (NFKC)."""
    if text.isascii():
        return _ASCII.findall(text.lower())
    return [found.group() for found in _WORD.finditer(_compatible(text).lower())]


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where each of `words(text)` begins and ends in `text`; words of one character (of "½": 1 and 2) share its span.

    A span takes whole graphemes, so marks that belong to no word may stand at its end.
    """
    if text.isascii():
        return [found.span() for found in _ASCII.finditer(text)]
    normal = _compatible(text)
    pieces = _GRAPHEME.findall(text)
    forms = [_compatible(piece) for piece in pieces]
    if "".join(forms) != normal:  # something is composed across graphemes; nothing is across white space
        pieces = _CHUNK.findall(text)
        forms = [_compatible(piece) for piece in pieces]
    theirs = [0, *accumulate(len(piece) for piece in pieces)]
    ours = [0, *accumulate(len(form.lower()) for form in forms)]
    return [
        (theirs[bisect_right(ours, start) - 1], theirs[bisect_left(ours, end)])
        for start, end in (found.span() for found in _WORD.finditer(normal.lower()))
    ]


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFKC", text)
