"""What was read of a file and what is wrong with it, handed back together; the JSON files of a run folder as models."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from medqa_core.foundation.errors import RunError, UnreadableFile, shorten
from medqa_core.foundation.files import read_json
from medqa_core.foundation.paths import resolve_inside
from medqa_core.foundation.visible import plain
from medqa_core.runs.artifacts.names import stored_name

M = TypeVar("M", bound=BaseModel)
T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


@dataclass(frozen=True)
class Reading(Generic[T_co]):
    """A value read from a file, and what is wrong with the file in one line each."""

    value: T_co
    problems: tuple[str, ...] = ()


def read_optional(folder: Path, name: str, read: Callable[[Path], T]) -> Reading[T | None]:
    """What `read(folder)` makes of the file `name`; None where the file is absent, which is no problem, or unreadable.

    Args:
        folder: the run's folder.
        name: the file's path below it, with slashes.
        read: reads the file; a `RunError` that it raises becomes the problem.
    """
    try:
        return Reading(read(folder))
    except RunError as error:
        return Reading(None, (str(error),) if os.path.lexists(folder / stored_name(folder, name)) else ())


def read_optional_model(folder: Path, name: str, model: type[M]) -> Reading[M | None]:
    """A JSON file that a run may lack as `model`, as `read_optional`."""
    return read_optional(folder, name, lambda place: read_model(place, name, model))


def read_model(folder: Path, name: str, model: type[M]) -> M:
    """A JSON file of a run folder as `model`.

    Raises:
        UnreadableFile: missing, torn, too large, or not what the contract says.
        OutsideStore: a link that leaves the folder.
    """
    value = read_json(resolve_inside(folder, name))
    known = model.model_fields["schema_version"].default if "schema_version" in model.model_fields else 1
    found = value.get("schema_version") if isinstance(value, dict) else None
    if isinstance(found, int) and found > known:
        version = shorten(str(found), 20)
        raise UnreadableFile(f"{name} was written by a newer MedQA Lab (schema {version}).")
    try:
        return model.model_validate(value)
    except (ValidationError, RecursionError) as error:
        if not isinstance(error, ValidationError):
            raise UnreadableFile(f"{name} is nested too deeply.") from error
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UnreadableFile(plain(f"{name} is not valid: {shorten(where)}: {first['msg']}.")) from error
