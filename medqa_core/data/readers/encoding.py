"""The text of a file, whatever its encoding: what it says of itself, else UTF-8, else what the library finds.

Windows programs write a byte order mark and UTF-16, or Windows-1252 without a word about it. A wrong guess turns
letters into others, so what was found is always said, with words of the file that show whether it is right.
"""

import codecs
import re
from dataclasses import dataclass

from medqa_core.foundation.errors import InputError, shorten

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
"""Byte order marks; UTF-32's before UTF-16's, which it begins with."""
_PREFERRED = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "koi8_r", "gb18030", "cp932",
    "cp949", "big5", "euc_jp", "mac_roman",
)  # fmt: skip
"""What files are written in; of two that are as likely, the first one is taken."""
_CLOSE = 0.15
"""Two texts without a fault are as likely where they are so nearly as much like a language (charset-normalizer's
coherence, 0 to 1): a few letters with accents tell it little."""
_SAMPLE = 64 * 2**10
"""Bytes of lines with other letters than ASCII that are looked at."""
_OTHER_LINES = re.compile(rb"[^\n]*[\x80-\xff][^\n]*\n?")
_SIGN_IN_WORD = re.compile(r"(?<=[^\W\d_])[^\w\s\x00-\x7f’‘\u00ad]|[³¹²](?=[^\W\d_])")
"""A sign or a raised number where a letter is expected: "w¹troby" is wątroby."""
_WORDS = re.compile(r"\w*[^\W\x00-\x7f]\w*")


@dataclass(frozen=True)
class Decoded:
    """A file's text, and what was found of its encoding; "" for UTF-8, which needs no word."""

    text: str
    note: str


def decode(name: str, content: bytes) -> Decoded:
    """The text of a file called `name`.

    What is UTF-8 but for single bytes keeps those as half surrogates, so that the cell that holds them can be named.

    Raises:
        InputError: it is no text of any encoding that can be told.
    """
    for mark, codec, called in _MARKS:
        if content.startswith(mark):
            return _marked(name, content, codec, called)
    try:
        return Decoded(content.decode("utf-8"), "")
    except UnicodeDecodeError:
        pass
    escaped = content.decode("utf-8", "surrogateescape")
    if _is_damaged_utf8(escaped):
        return Decoded(escaped, "")
    codec, text, other = _detected(name, content)
    shown = list(dict.fromkeys(_words(text)))[:3]
    example = f" (it reads {', '.join(shorten(word, 30) for word in shown)})" if shown else ""
    return Decoded(text, f"not UTF-8: read as {_called(codec)}, as charset-normalizer finds it{example}{other}")


def _words(text: str) -> list[str]:
    """The words with other letters than ASCII."""
    return [found.group() for found in _WORDS.finditer(text)]


def _marked(name: str, content: bytes, codec: str, called: str) -> Decoded:
    try:
        text = content.decode(codec, "surrogateescape" if called == "UTF-8" else "strict")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: begins as {called} and is torn at byte {error.start:,}; save it again.") from error
    return Decoded(text, "" if called == "UTF-8" else f"read as {called}, as its first bytes say")


def _is_damaged_utf8(text: str) -> bool:
    """Whether more of its letters are UTF-8 than are not: another encoding gives such letters by chance alone."""
    bad = sum("\udc80" <= c <= "\udcff" for c in text)
    return sum(c > "\x7f" for c in text) - bad > bad


def _detected(name: str, content: bytes) -> tuple[str, str, str]:
    """The codec, the text, and what to say of another codec that is as likely and gives other letters."""
    zeros = content.count(0)
    if zeros * 3 > len(content):  # every second byte of a Latin text in UTF-16 without a mark
        codec = "utf_16_le" if content[1::2].count(0) * 2 > zeros else "utf_16_be"
        candidates = [codec]
    else:
        candidates = _candidates(content)
    found: tuple[str, str] | None = None
    for codec in candidates:
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        if found is None:
            found = codec, text
        elif text != found[1]:
            first, other = next(
                both for both in zip(found[1].split(), text.split(), strict=False) if both[0] != both[1]
            )
            also = f"; {_called(codec)} is as likely and reads {shorten(other, 30)} for {shorten(first, 30)}"
            return *found, f"{also}: if that is right, save the file as UTF-8"
    if found is None:
        raise InputError(f"{name}: its encoding cannot be told, it may be no text; save the file as UTF-8.")
    return *found, ""


def _candidates(content: bytes) -> list[str]:
    """The encodings that the text is likely to be in, the likeliest first."""
    # Here and not above: most files are UTF-8.
    from charset_normalizer import from_bytes

    sample, size = [], 0
    for found in _OTHER_LINES.finditer(content):
        sample.append(found.group()[:_SAMPLE])
        size += len(sample[-1])
        if size >= _SAMPLE:
            break
    matches = list(from_bytes(b"".join(sample), cp_isolation=list(_PREFERRED)))
    if not matches:
        return []
    least = min(match.chaos for match in matches)
    clean = [match for match in matches if match.chaos == least]
    most = max(match.coherence for match in clean)
    likely = {codec for m in clean if m.coherence >= most - _CLOSE for codec in m.could_be_from_charset}
    signs = {codec: len(_SIGN_IN_WORD.findall(b"".join(sample).decode(codec, "replace"))) for codec in likely}
    return sorted(likely, key=lambda codec: (signs[codec], codec not in _PREFERRED, _place(codec)))


def _place(codec: str) -> int:
    return _PREFERRED.index(codec) if codec in _PREFERRED else len(_PREFERRED)


def _called(codec: str) -> str:
    if codec.startswith("cp125"):
        return f"Windows-{codec.removeprefix('cp')}"
    return {"utf_16_le": "UTF-16", "utf_16_be": "UTF-16", "mac_roman": "Mac Roman"}.get(codec, codec)
