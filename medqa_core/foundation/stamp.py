"""What tells one state of a file from another without reading it."""

import os
from typing import BinaryIO, NamedTuple


class FileStamp(NamedTuple):
    """Time of change (ns), size (bytes), inode and device of a file; zeros for one that is not there.

    Two states of a file can share a stamp where they were written within one tick of the file system's clock. Who
    keeps what was read under a stamp therefore keeps it only of a file that has been left alone for a while.
    """

    modified: int
    size: int
    inode: int
    device: int

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> "FileStamp":
        """The stamp of the file that the path leads to, links followed; `ABSENT` where there is none to look at."""
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return ABSENT
        return cls(found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)

    @classmethod
    def of_open(cls, file: BinaryIO) -> "FileStamp":
        """The stamp of an opened file.

        Raises:
            OSError: it cannot be looked at.
        """
        found = os.fstat(file.fileno())
        return cls(found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)

    def same_file(self, other: "FileStamp") -> bool:
        """Whether both are of one file, changed or not."""
        return (self.inode, self.device) == (other.inode, other.device)


ABSENT = FileStamp(0, 0, 0, 0)
"""The stamp of a file that is not there."""
