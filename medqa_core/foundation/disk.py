"""What a disk that takes nothing more, or fails, says of it, in words; and how much room a folder takes."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from medqa_core.foundation.errors import MedQAError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
BROKEN = frozenset({errno.EIO, errno.EROFS, errno.ENXIO, errno.ENODEV})
"""After these nobody knows what of the last writes is on the disk: a file is not synced once more as if it were."""
TOLD = re.compile(r"\bos error (\d{1,4})\b")
"""How libraries that are not written in Python tell of a system's error."""
TEMPORARY = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{32}\.(?P<part>tmp|old)")
"""What `files` calls that which it has not renamed yet, or has moved aside; a kill leaves it behind."""


def trouble(error: BaseException) -> Literal["full", "broken"] | None:
    """What is wrong with the disk; None where `error` is of another kind."""
    number = error.errno if isinstance(error, OSError) else None
    if number in FULL:
        return "full"
    return "broken" if number in BROKEN else None


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder, links not followed; what cannot be looked at counts nothing."""
    total, left = 0, [os.fspath(folder)]
    while left:
        try:
            with os.scandir(left.pop()) as found:
                for entry in found:
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


@contextmanager
def told() -> Iterator[None]:
    """The block writes with libraries, which have exceptions of their own for a full disk.

    Raises:
        OSError: in place of one that tells of the system's.
    """
    try:
        yield
    except MedQAError:  # says itself what happened
        raise
    except Exception as error:
        if (found := as_os_error(error)) is not None:
            raise found from error
        raise


def as_os_error(error: Exception) -> OSError | None:
    """The system's error that a library tells of in the text of its own exception; None where it tells of none."""
    told = None if isinstance(error, OSError) else TOLD.search(str(error))
    return OSError(int(told[1]), os.strerror(int(told[1]))) if told else None


def sentence(error: OSError) -> str:
    """What happened to which file and what to do, on one line and without a path of this machine."""
    name = Path(os.fsdecode(error.filename)).name if isinstance(error.filename, str | bytes) else ""
    name = TEMPORARY.sub(r"\g<name>", name)
    kind = trouble(error)
    if kind == "full":
        what = f" {name} was not written." if name else ""
        return f"The disk is full.{what} Free some space, then try again; what was there before is whole."
    why = error.strerror or str(error)
    if kind == "broken":
        return f"The disk reported an error{f' on {name}' if name else ''}: {why}. Check it before you go on."
    return f"{name or 'A file'} cannot be read or written: {why}."
