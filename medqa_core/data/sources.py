"""The data sets that a fine-tune can name: one entry, whatever the name stands for."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from medqa_core.data import hub, medquad, own, starter, tables
from medqa_core.data.pairs import PairSet
from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import DataUnavailable, InputError, UnknownName, shorten
from medqa_core.foundation.files import dumps, sha256_text
from medqa_core.foundation.settings import Settings

SOURCES = ("starter", "medquad")
"""The names; anything else is a path or a hub id."""


def load(name: str, settings: Settings, columns: Mapping[str, str] | None = None, *, fetch: bool = True) -> PairSet:
    """The data set called `name`; read once a process while its files do not change.

    Args:
        name: `starter`, `medquad`, a CSV, TSV, JSON, JSON lines or Parquet file, a folder of such files, MedQuAD's
            ZIP or its unpacked folder, or a hub id. A path that exists wins over a hub id of the same spelling.
        settings: where MedQuAD and the cache are.
        columns: the file's columns by our names (`data.columns.GUESSES`); the rest is guessed.
        fetch: whether a data set of the hub may be downloaded; pages only read.

    Raises:
        UnknownName: no such name.
        InputError: there is no such file, or it does not fit; file, row and column are named.
        DataUnavailable: it is not available; the message says what to set.
    """
    mapping = tuple(sorted((columns or {}).items()))
    text = name.strip()
    if text == "starter":
        _without_columns(text, mapping)
        return _starter()
    if text == "medquad":
        return _local_medquad(settings, mapping) or _from_hub(hub.MEDQUAD, settings, mapping, fetch=fetch)
    path = _path(text)
    if path.exists():
        return _at(path, mapping)
    if _names_a_file(text):
        raise InputError(
            f"{shorten(text)!r} does not exist; give the path of a file or folder that does.", field="dataset"
        )
    if hub.is_id(text):
        return _from_hub(text, settings, mapping, fetch=fetch)
    raise UnknownName("dataset", name, SOURCES)


def fingerprint(name: str, columns: Mapping[str, str], settings: Settings) -> str | None:
    """Changes when the files of the data set called `name` do; None where it has none here, as the starter set."""
    text = name.strip()
    path = settings.medquad if text == "medquad" else None if text == "starter" else _path(text)
    if path is None or not path.exists():
        fetched = hub.cached(hub.MEDQUAD if text == "medquad" else text, settings.cache)
        path = fetched.path if fetched else None
    return None if path is None else tree_fingerprint(path, sorted(columns.items()))


def tree_fingerprint(path: Path, *beside: object) -> str:
    """Changes when a file at or below `path` does, by its name, time and size, or anything of `beside`.

    Raises:
        InputError: it cannot be looked at.
    """
    try:
        files = [path, *sorted(one for one in path.rglob("*") if one.is_file())]
        stats = [(str(one), stat.st_mtime_ns, stat.st_size) for one in files for stat in [one.stat()]]
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    return sha256_text(dumps([stats, *map(repr, beside)]))


def _local_medquad(settings: Settings, mapping: tuple[tuple[str, str], ...]) -> PairSet | None:
    path = settings.medquad
    if path is None:
        return None
    if not path.exists():
        raise DataUnavailable(f"MEDQA_MEDQUAD names {path}, which does not exist.")
    return _at(path, mapping)


def _from_hub(name: str, settings: Settings, mapping: tuple[tuple[str, str], ...], *, fetch: bool) -> PairSet:
    found = hub.cached(name, settings.cache)
    if found is None and not fetch:
        fetching = f"`{PROGRAM} data describe --source {name}` fetches it"
        raise hub.unavailable(name, f"is not in the cache; {fetching}")
    found = found or hub.ensure(name, settings.cache)
    return _table(found.path, _stamp(found.path), mapping, name, found.licence)


def _at(path: Path, mapping: tuple[tuple[str, str], ...]) -> PairSet:
    try:
        stamp = _stamp(path)
        table = path.suffix.lower() in tables.SUFFIXES or (path.is_dir() and any(shards(path)))
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror or error}.", field="dataset") from error
    if table:
        return _table(path, stamp, mapping, path.name, None)
    if path.is_file() and path.suffix.lower() != ".zip":
        tables.read(path)  # says which kinds of files there are
    _without_columns(path.name, mapping)
    return _medquad(path, stamp)


def _path(text: str) -> Path:
    try:
        path = Path(text).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # too long, an unknown home folder, a NUL byte
        raise InputError(f"{shorten(text)!r} is not a usable path.", field="dataset") from error
    if not text or not text.isprintable():
        raise InputError("the name is empty or holds control characters.", field="dataset")
    return path


def _names_a_file(text: str) -> bool:
    known = Path(text).suffix.lower() in (*tables.SUFFIXES, ".zip")
    return known or text.startswith(("/", ".", "~")) or text.count("/") > 1 or "\\" in text


def shards(folder: Path) -> Iterator[Path]:
    """The table files of a folder, as a clone of a hub data set keeps them: in it or one below, all of one kind."""
    for suffix in (".parquet", ".jsonl", ".csv", ".tsv"):  # not .json: such a folder keeps settings in it
        found = [p for pattern in ("*", "*/*") for p in folder.glob(pattern + suffix) if p.is_file()]
        if found:
            yield from sorted(path for path in found if not path.name.startswith("."))
            return


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes when the files do."""
    inside = sorted(path.iterdir()) if path.is_dir() else []
    stats = [(entry.name, entry.stat()) for entry in (path, *inside)]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def _without_columns(name: str, mapping: tuple[tuple[str, str], ...]) -> None:
    if mapping:
        raise InputError(f"{name} has no columns to map; leave the mapping out.", field="columns")


@lru_cache(maxsize=1)
def _starter() -> PairSet:
    return starter.load()


@lru_cache(maxsize=1)
def _medquad(path: Path, stamp: object) -> PairSet:
    return medquad.load(path)


@lru_cache(maxsize=2)
def _table(path: Path, stamp: object, mapping: tuple[tuple[str, str], ...], name: str, licence: str | None) -> PairSet:
    found = list(shards(path)) if path.is_dir() else [path]
    return own.pairs([tables.read(file) for file in found], name, dict(mapping), licence)
