"""Files that were sent from a page: kept in the user's cache by what is in them, never by the name they came with."""

import hashlib
from pathlib import Path

from medqa_core.data.readers.file import SUFFIXES, suffix_of
from medqa_core.foundation import files
from medqa_core.foundation.errors import InputError, shorten
from medqa_core.foundation.settings import Settings

LIMIT = 64 * 2**20
"""Largest file that is taken, in bytes; larger ones are named by their path."""


def keep(name: str, content: bytes, settings: Settings) -> Path:
    """The file in the cache; the same content is kept once.

    Args:
        name: as the browser sent it; only its end is used, and only if it is one of a file that is read.
        content: the file.
        settings: where the cache is.

    Raises:
        InputError: a public demo, a file of another kind, an empty or too large one, or a cache that cannot be written.
    """
    if settings.public:
        raise InputError("This is a public demo: nothing can be uploaded.", field="dataset")
    suffix = suffix_of(name)
    if suffix is None:
        raise InputError(
            f"{shorten(name, 60)!r} is no data file; its name ends in one of {', '.join(SUFFIXES)}.", field="dataset"
        )
    if not content or len(content) > LIMIT:
        what = f"larger than {LIMIT // 2**20} MiB; give its path instead" if content else "empty"
        raise InputError(f"{shorten(name, 60)!r} is {what}.", field="dataset")
    path = settings.cache / "uploads" / f"{hashlib.sha256(content).hexdigest()[:24]}{suffix}"
    try:
        if not path.exists() or path.stat().st_size != len(content):
            files.write_bytes(path, content)
    except OSError as error:
        raise InputError(
            f"it cannot be kept in {path.parent}: {error.strerror or error}; free some space or set MEDQA_CACHE.",
            field="dataset",
        ) from error
    return path
