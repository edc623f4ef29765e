"""Reading what others wrote: files with a limit, JSON with NaN in it, text without the author's folders."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from medqa_core.foundation.errors import InputError, shorten
from medqa_core.foundation.format import listing
from medqa_core.foundation.visible import plain

FILE_LIMIT = 32 * 2**20
"""Largest file that is read, in bytes."""
LINE_LIMIT = 500
"""Longest text that is kept of one line or name."""
NAMED = 24
"""Names that one sentence lists."""

_PART = r"[^\\/\s,;:'\"=]+"
_ABSOLUTE = re.compile(
    rf"(?<![\w/:.~])(?:(?:file://)?(?:/{_PART}){{2,}}/?|~[\w.-]*(?:/{_PART})+/?|[A-Za-z]:(?:[\\/]{_PART})+[\\/]?)"
)
_WHOLE = re.compile(r"(?:~[\w.-]*/|/|[A-Za-z]:[\\/]|\\\\)(?:.*[\\/])?([^\\/]+)[\\/]?")


def kind_of(path: Path) -> str:
    """`file`, `folder`, or the reason why it is neither, for use in a message."""
    try:
        if path.is_file():
            return "file"
        if path.is_dir():
            return "folder"
        return "not a plain file or folder" if path.exists() else "not there"
    except (OSError, ValueError):  # a name too long, no permission
        return "not a path that can be opened"


def read_bytes(path: Path, limit: int = FILE_LIMIT) -> bytes:
    """A file's content. Links are followed: a model hub's cache is made of links.

    Raises:
        InputError: not a plain file, larger than `limit`, or unreadable.
    """
    name = file_name(path)
    try:
        if not path.is_file():  # a named pipe or a device would never end
            raise InputError(f"{name} is not a file.")
        size = path.stat().st_size
        content = b""
        if size <= limit:
            with open(path, "rb") as file:
                content = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"{name} cannot be read.") from error
    if size > limit or len(content) > limit:
        raise InputError(f"{name} is larger than {max(1, limit // 2**20)} MiB; it was not read.")
    return content


def decode(content: bytes, name: str) -> str:
    """`content` as text.

    Raises:
        InputError: empty, binary, or not UTF-8.
    """
    if not content.strip():
        raise InputError(f"{name} is empty.")
    if b"\0" in content:
        raise InputError(f"{name} is a binary file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text (byte {error.start}).") from error


def lenient_json(content: bytes, name: str) -> Any:
    """A JSON value in which NaN and Infinity may stand, as Python's own writer leaves them.

    Raises:
        InputError: not JSON, or nested too deeply.
    """
    try:
        return json.loads(decode(content, name))
    except RecursionError as error:
        raise InputError(f"{name} is not usable JSON: nested too deeply.") from error
    except ValueError as error:
        raise InputError(f"{name} is not valid JSON: {shorten(str(error))}.") from error


def number(value: Any) -> float | int | None:
    """`value` if it is a number a figure can hold (finite, and no larger than a double), else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -1e300 < value < 1e300 else None  # NaN compares false


def line(value: Any, limit: int = LINE_LIMIT) -> str:
    """`value`, if it is text, as one harmless line without the folders of the machine it was written on."""
    if not isinstance(value, str):
        return ""
    text = plain(without_paths(value[: 20 * limit]))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def named(names: Iterable[str]) -> str:
    """The names as part of a sentence, each a harmless line; of many the first and how many more."""
    shown = [one for name in names if (one := line(name, 60))]
    more = [f"{len(shown) - NAMED} more"] if len(shown) > NAMED else []
    return listing([*shown[:NAMED], *more])


def unused(stated: Mapping[str, Any], used: Collection[str]) -> list[str]:
    """The names under which something is stated that is not used."""
    return [name for name, value in stated.items() if name not in used and value is not None and value != {}]


def left_aside(names: Iterable[str], what: str) -> list[str]:
    """The note that `what` (`Not kept`) holds for these names; none where there are none."""
    return [f"{what}: {said}."] if (said := named(names)) else []


def without_paths(text: str) -> str:
    """`text` with each absolute path cut to its last part: where a file lay is nobody else's business."""
    whole = _WHOLE.fullmatch(text.strip())  # a folder's name may hold spaces
    if whole:
        return whole[1]
    return _ABSOLUTE.sub(lambda found: re.split(r"[\\/]", found[0].rstrip("\\/"))[-1], text)


def file_name(path: Path) -> str:
    """The name of a file or folder, safe to show; the folder's real name for `.` and `..`."""
    try:
        name = path.name if path.name not in ("", "..") else path.resolve().name
    except (OSError, ValueError, RuntimeError):
        name = ""
    return shorten(plain(name)) or "the path"


def slug(text: str) -> str:
    """`text` as a run id: lower case, hyphens, up to 48 characters."""
    kept = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:48].strip("-")
    return kept or "imported"
