"""Files that only grow, a row a line: a kill leaves at most one torn last line, and the next writer ends it."""

import os
from contextlib import suppress
from pathlib import Path


def open_to_append(path: Path) -> int:
    """A descriptor that writes at the end of `path`, which is made if it is missing; a torn last line is ended first.

    Raises:
        OSError: the file cannot be written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        if os.fstat(descriptor).st_size:
            os.lseek(descriptor, -1, os.SEEK_END)
            if os.read(descriptor, 1) != b"\n":
                os.write(descriptor, b"\n")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def append(descriptor: int, line: str) -> None:
    """Write `line`, which brings its own end, in one piece where the disk has room; on the disk when this returns.

    Raises:
        OSError: it is not on the disk, and not in the file. After an error of the disk the descriptor is of no more
            use: the system forgets what it could not write, and a second sync would call that kept.
    """
    content = line.encode()
    before = os.fstat(descriptor).st_size
    try:
        while content:  # a nearly full disk takes a part, and says why at the next attempt
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):  # then it is a torn line, which the next writer ends
            os.ftruncate(descriptor, before)
        raise


def read_lines(path: Path, limit: int) -> tuple[list[str], list[str]]:
    """The lines of a plain file, and what is wrong with it in one line each.

    Of a file above `limit` bytes the whole lines at its end are read. Bytes that are not UTF-8 are replaced, so that
    they cost their own line only.

    Raises:
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        if size > limit:
            file.seek(size - limit)
            file.readline()
        content = file.read(limit)
    cut = f"{path.name} is {size // 2**20} MiB; its last {limit // 2**20} were read."
    return content.decode("utf-8", "replace").split("\n"), [cut] * (size > limit)


def left_out(name: str, odd: int) -> list[str]:
    """What a reader says of `odd` lines that it could not use; nothing where there are none."""
    several = odd > 1
    said = f"{name}: {odd} line{'s' * several} could not be read and {'were' if several else 'was'} left out."
    return [said] * (odd > 0)
