"""The data sets that a fine-tune can name."""

from functools import lru_cache
from pathlib import Path

from medqa_core.data import medquad, starter
from medqa_core.data.pairs import PairSet
from medqa_core.foundation.errors import DataUnavailable, UnknownName
from medqa_core.foundation.settings import Settings

SOURCES = ("starter", "medquad")


def load(name: str, settings: Settings) -> PairSet:
    """The data set called `name`; read once a process while its file does not change.

    Raises:
        UnknownName: no such data set.
        DataUnavailable: it is not in reach; the message says what to set.
    """
    if name not in SOURCES:
        raise UnknownName("dataset", name, SOURCES)
    if name == "starter":
        return _starter()
    path = settings.medquad
    if path is None:
        raise DataUnavailable(
            "MedQuAD is not in reach: download its ZIP from github.com/abachaa/MedQuAD and set MEDQA_MEDQUAD to it, "
            "or use the starter set (--preset starter)."
        )
    if not path.exists():
        raise DataUnavailable(f"MEDQA_MEDQUAD names {path}, which does not exist.")
    return _medquad(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _starter() -> PairSet:
    return starter.load()


@lru_cache(maxsize=1)
def _medquad(path: Path, modified: int) -> PairSet:
    return medquad.load(path)
