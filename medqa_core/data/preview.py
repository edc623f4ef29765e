"""What a data set of one's own becomes, before anything is trained on it: rows, columns, what is left out, sizes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

from medqa_core.data import sources
from medqa_core.data.columns import paths, resolve
from medqa_core.data.formats.recognise import in_plain_rows
from medqa_core.data.formats.sample import ROWS
from medqa_core.data.pairs import PairSet
from medqa_core.data.preparation import data_for
from medqa_core.data.proposal import TooSmall, check_parts
from medqa_core.data.readers import file
from medqa_core.data.split import split_set
from medqa_core.foundation.errors import InputError, MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.foundation.stamp import FileStamp
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.presets import own_data, own_title
from medqa_core.runs.schema.record import SplitSizes

MOST_PATHS = 50
"""Paths into nested cells that can be chosen; `--columns` takes any."""


@dataclass(frozen=True)
class FileColumns:
    """The columns of a file, and what they are taken for where nobody says it."""

    names: tuple[str, ...] = ()
    """And the paths to texts within nested cells. None where the data are no single file, or it cannot be read."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Our names and the columns that they are read from."""


@dataclass(frozen=True)
class Preview:
    """A data set as it is read with one mapping of columns."""

    data: PairSet | None
    """None where it cannot be read; `problem` says why."""
    problem: str
    sizes: SplitSizes | None
    """Of the parts where nobody asks for sizes, or of the proposed split."""
    changes: dict[str, Any]
    """What the configuration needs for these data: the proposed split, where the usual one leaves a part empty."""


def preview(
    name: str, columns: Mapping[str, str], settings: Settings, *, title: str = "", test: str | None = None
) -> Preview:
    """Read the data set called `name`. What does not fit is told in the preview, not raised.

    Args:
        name: as `sources.load` has it; of the hub nothing is fetched.
        columns: as asked for; the rest is guessed.
        settings: where things are.
        title: what people call the data, where that is not their name.
        test: a data set of its own for the test, read with the same columns.

    Raises:
        InputError: a public demo, whose visitors have no data of their own.
    """
    _refuse_visitors(settings)
    config = TrainConfig.model_validate({**own_data(name, test), "columns": dict(columns)})
    asked: dict[str, Any] = {"test_dataset": test, "columns": dict(columns)}
    changes: dict[str, Any] = {**own_data(name), **own_title(title or name), **asked}
    data = None
    try:
        data = data_for(config, settings, fetch=False)
        parts = split_set(data, config)
        check_parts(data, parts, config)
    except TooSmall as error:
        sizes = error.proposal.sizes if error.proposal else None
        proposed = error.proposal.changes if error.proposal else {}
        return Preview(data, str(error), sizes, changes | proposed)
    except MedQAError as error:
        return Preview(data, str(error), None, changes)
    return Preview(data, "", parts.sizes, changes)


def columns_of(name: str, settings: Settings) -> FileColumns:
    """The columns of the file that `name` is, as far as they can be told; read once while it does not change.

    Raises:
        InputError: a public demo, as `preview`.
    """
    _refuse_visitors(settings)
    path = sources.existing(name)
    if path is None or not path.is_file() or file.suffix_of(path.name) is None:
        return FileColumns()
    return _columns(path, FileStamp.of(path))


@lru_cache(maxsize=4)
def _columns(path: Path, stamp: FileStamp) -> FileColumns:
    try:
        table = file.read(path)
    except MedQAError:
        return FileColumns()
    names = table.columns
    try:
        first = list(islice(rows := iter(table.rows), ROWS))
        names += tuple(path for path in paths(first)[:MOST_PATHS] if path not in names)
        whole = table if isinstance(table.rows, list) else replace(table, rows=chain(first, rows))
        plain = in_plain_rows(whole, {})
        found = resolve(plain, {})
    except MedQAError:
        return FileColumns(names)
    return FileColumns(names, {ours: plain.origins.get(ours, theirs) for ours, theirs in found.items()})


def _refuse_visitors(settings: Settings) -> None:
    if settings.public:
        raise InputError("This is a public demo: it reads no data of its visitors.", field="dataset")
