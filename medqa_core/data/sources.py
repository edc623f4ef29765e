"""The data sets that a fine-tune can name: one entry, whatever the name stands for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from medqa_core.data import hub, medquad, own, starter
from medqa_core.data.pairs import PairSet
from medqa_core.data.readers import columnar, file
from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import DataUnavailable, InputError, UnknownName, shorten
from medqa_core.foundation.files import dumps, sha256_text
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.config import READING_VERSION

SOURCES = ("starter", "medquad")
"""The names; anything else is a path or a hub id."""
_KINDS = (".parquet", ".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".tsv", ".tsv.gz")
"""Files of which a folder is read, of several kinds the first. Not .json: such a folder keeps settings in it."""
_SHOWN = 5
"""Files of a folder that are named."""


@dataclass(frozen=True)
class Reading:
    """How the rows of a file become pairs."""

    columns: tuple[tuple[str, str], ...] = ()
    """The file's columns by our names."""
    version: int = READING_VERSION
    """Of what is made of formats and cells; runs keep theirs."""


def load(
    name: str,
    settings: Settings,
    columns: Mapping[str, str] | None = None,
    *,
    version: int = READING_VERSION,
    fetch: bool = True,
) -> PairSet:
    """The data set called `name`; read once a process while its files do not change.

    Args:
        name: `starter`, `medquad`, a file that `readers.file` knows, a folder of such files (`shards`) or one that
            `datasets.save_to_disk` wrote, MedQuAD's ZIP or its unpacked folder, or a hub id. A path that exists wins
            over a hub id of the same spelling.
        settings: where MedQuAD and the cache are.
        columns: the file's columns by our names (`data.columns.GUESSES`); the rest is guessed.
        version: of the reading, as `own.pairs` has it.
        fetch: whether a data set of the hub may be downloaded; pages only read.

    Raises:
        UnknownName: no such name.
        InputError: there is no such file, or it does not fit; file, row and column are named.
        DataUnavailable: it is not available; the message says what to set.
    """
    reading = Reading(tuple(sorted((columns or {}).items())), version)
    text = name.strip()
    if text == "starter":
        _without_columns(text, reading)
        return _starter()
    if text == "medquad":
        return _local_medquad(settings, reading) or _from_hub(hub.MEDQUAD, settings, reading, fetch=fetch)
    path = _path(text)
    if path.exists():
        return _at(path, reading)
    if _names_a_file(text):
        raise InputError(
            f"{shorten(text)!r} does not exist; give the path of a file or folder that does.", field="dataset"
        )
    if hub.is_id(text):
        return _from_hub(text, settings, reading, fetch=fetch)
    raise UnknownName("dataset", name, SOURCES)


def to_fetch(name: str, settings: Settings) -> bool:
    """Whether the data set called `name` is one of the hub's that has to be fetched before it can be read."""
    known = _hub_id(name, settings)
    return known is not None and hub.cached(known, settings.cache) is None


def fetch(name: str, settings: Settings, steps: StageProgress = silent) -> None:
    """Fetch the data set called `name` from the hub into the cache; nothing where it is there. Raises as `hub.ensure`.

    Raises:
        InputError: it is none of the hub's.
    """
    known = _hub_id(name, settings)
    if known is None:
        raise InputError(f"{shorten(name)!r} is here already, or is no data set of the hub (owner/name).", field="name")
    hub.ensure(known, settings.cache, steps=steps)


def _hub_id(name: str, settings: Settings) -> str | None:
    """What the hub calls the data set called `name`; None where it would not be looked for there."""
    text = name.strip()
    if text == "medquad":
        return hub.MEDQUAD if settings.medquad is None else None
    return text if hub.is_id(text) and not _names_a_file(text) and existing(text) is None else None


def fingerprint(name: str, columns: Mapping[str, str], settings: Settings) -> str | None:
    """Changes when the files of the data set called `name` do; None where it has none here, as the starter set."""
    text = name.strip()
    path = settings.medquad if text == "medquad" else None if text == "starter" else _path(text)
    if path is None or not path.exists():
        fetched = hub.cached(hub.MEDQUAD if text == "medquad" else text, settings.cache)
        path = fetched.path if fetched else None
    if path is None:
        return None
    inside = [one for pattern in ("*", "*/*") for one in sorted(path.glob(pattern))] if path.is_dir() else []
    return files_fingerprint([path, *_without_dangling(inside)], sorted(columns.items()))


def files_fingerprint(files: Sequence[Path], *beside: object) -> str:
    """Changes when one of `files` does, by its path, time and size, or anything of `beside`.

    Raises:
        InputError: one cannot be looked at.
    """
    try:
        stats = [(str(one), stat.st_mtime_ns, stat.st_size) for one in files for stat in [one.stat()]]
    except OSError as error:
        raise InputError(f"the data cannot be read: {error.strerror or error}.") from error
    return sha256_text(dumps([stats, *map(repr, beside)]))


def _local_medquad(settings: Settings, reading: Reading) -> PairSet | None:
    path = settings.medquad
    if path is None:
        return None
    if not path.exists():
        raise DataUnavailable(f"MEDQA_MEDQUAD names {path}, which does not exist.")
    return _at(path, reading)


def _from_hub(name: str, settings: Settings, reading: Reading, *, fetch: bool) -> PairSet:
    found = hub.cached(name, settings.cache)
    if found is None and not fetch:
        fetching = f"`{PROGRAM} data fetch {name}` fetches it"
        raise hub.unavailable(name, f"is not in the cache; {fetching}")
    found = found or hub.ensure(name, settings.cache)
    return _table(found.path, _stamp(found.path), reading, name, found.licence)


def _at(path: Path, reading: Reading) -> PairSet:
    try:
        table = file.suffix_of(path.name) is not None or (path.is_dir() and holds_tables(path))
        stamp = _stamp(path, below=table)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror or error}.", field="dataset") from error
    if table:
        return _table(path, stamp, reading, path.name, None)
    if path.is_file() and path.suffix.lower() != ".zip":
        file.read(path)  # says which kinds of files there are
    if path.is_dir():
        _refuse_other_files(path)
    _without_columns(path.name, reading)
    return _medquad(path, stamp)


def _refuse_other_files(folder: Path) -> None:
    """Refuse a folder that holds files, and neither tables that it could be read of nor MedQuAD's XML."""
    files = sorted(path for pattern in ("*", "*/*") for path in folder.glob(pattern) if path.is_file())
    shown = [str(path.relative_to(folder)) for path in files if not path.name.startswith(".")]
    if not shown or any(folder.rglob("*.xml")):
        return
    alone = next((path for path in files if _kind(path) is not None), None)
    helps = f"; name a file itself, such as {folder.name}/{alone.relative_to(folder)}" if alone else ""
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    raise InputError(
        f"{folder.name} holds {shorten(', '.join(shown[:_SHOWN]), 200)}{more}, and a folder is read of Parquet, JSON "
        f"lines, CSV or TSV files, or of MedQuAD's XML{helps}.",
        field="dataset",
    )


def existing(text: str) -> Path | None:
    """The path that a name is where there is something at it; None where there is not, or the name is no usable path.

    Who loads what is called so says what is wrong with it.
    """
    try:
        path = _path(text)
    except InputError:
        return None
    return path if path.exists() else None


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
    known = file.suffix_of(text) is not None or Path(text).suffix.lower() == ".zip"
    return known or text.startswith(("/", ".", "~")) or text.count("/") > 1 or "\\" in text


def holds_tables(folder: Path) -> bool:
    """Whether a folder is a data set of files that are read."""
    return columnar.is_saved(folder) or any(shards(folder))


def shards(folder: Path) -> Iterator[Path]:
    """The table files of a folder, as a clone of a hub data set keeps them: in it or one below, all of one kind."""
    inside = sorted(path for pattern in ("*", "*/*") for path in folder.glob(pattern) if _kind(path) in _KINDS)
    there = [path for path in inside if path.is_file()]
    first = next((kind for kind in _KINDS if any(_kind(path) == kind for path in there)), None)
    yield from (path for path in there if _kind(path) == first)


def _kind(path: Path) -> str | None:
    """What kind of table a file is; None where it is none, or hidden, as editors and systems leave files beside."""
    return None if path.name.startswith(".") else file.suffix_of(path.name)


def _stamp(path: Path, *, below: bool = False) -> tuple[tuple[str, int, int], ...]:
    """What changes when the files do; with `below`, those in folders within it too, where tables may lie."""
    inside = _without_dangling(sorted(path.iterdir())) if path.is_dir() else []
    if below and inside:
        inside += sorted(entry for entry in path.glob("*/*") if entry.is_file())
    stats = [(str(entry), entry.stat()) for entry in (path, *inside)]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def _without_dangling(paths: Sequence[Path]) -> list[Path]:
    """Without links that lead nowhere, as Emacs keeps beside an open file; never without one that should be a table."""
    return [path for path in paths if _kind(path) is not None or not path.is_symlink() or path.exists()]


def _without_columns(name: str, reading: Reading) -> None:
    if reading.columns:
        raise InputError(f"{name} has no columns to map; leave the mapping out.", field="columns")


@lru_cache(maxsize=1)
def _starter() -> PairSet:
    return starter.load()


@lru_cache(maxsize=1)
def _medquad(path: Path, stamp: object) -> PairSet:
    return medquad.load(path)


@lru_cache(maxsize=2)
def _table(path: Path, stamp: object, reading: Reading, name: str, licence: str | None) -> PairSet:
    if path.is_dir() and columnar.is_saved(path):
        tables = [columnar.saved(path)]
    else:
        tables = [file.read(one) for one in (shards(path) if path.is_dir() else [path])]
    return own.pairs(tables, name, dict(reading.columns), licence, version=reading.version)
