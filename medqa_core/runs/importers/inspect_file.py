"""Inspect's two formats of a log: `.eval`, a ZIP of JSON files, and JSON. Only the fields that are used are read.

The formats: https://inspect.aisi.org.uk/eval-logs.html (`EvalLog`, version 2). Inspect's own reader is no dependency:
it wants an older `fsspec` than the one that `datasets` is used with here, and some forty packages.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar
from zipfile import BadZipFile, ZipFile, ZipInfo

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medqa_core.foundation.errors import InputError, shorten
from medqa_core.foundation.format import bytes_size
from medqa_core.runs.importers.source import file_name, unused

SUFFIX = ".eval"
HEADER, SAMPLES = "header.json", "samples/"
NEWEST = 2
"""Version of the format."""
FILE_LIMIT = 2 * 2**30
"""Bytes of an archive."""
MEMBER_LIMIT = 64 * 2**20
"""Bytes of one JSON file in it, unpacked: a sample holds all that was said."""
UNPACKED_LIMIT = 16 * 2**30
MOST_SAMPLES = 200_000
ZSTANDARD = 93
"""ZIP's number of a compression that Python's own reader learnt after 3.13."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Whole(_Part):
    """A part of which every name is known, used or not."""

    model_config = ConfigDict(extra="allow", frozen=True)

    used: ClassVar[dict[str, frozenset[str]]] = {}
    """Of fields that are objects of any names: those that are used."""

    def unused(self) -> list[str]:
        """The names of what it states and nothing reads, as paths."""
        found = unused(self.model_extra or {}, ())
        for field in type(self).model_fields:
            value = getattr(self, field)
            below = value.unused() if isinstance(value, _Whole) else []
            if isinstance(value, dict):
                below = unused(value, self.used.get(field, ()))
            found += [f"{field}.{name}" for name in below]
        return found


class Score(_Part):
    """What a scorer says of one answer."""

    value: Any = None


class Message(_Part):
    """A turn of the prompt."""

    role: str = ""
    content: Any = None


class Sample(_Part):
    """A question and its scores."""

    epoch: int = 1
    input: str | list[Message]
    choices: list[str] | None = None
    scores: dict[str, Score] | None = None
    metadata: dict[str, Any] | None = None


class Stated(_Part):
    """A figure over all samples."""

    value: float


class ScorerResult(_Part):
    """The figures of one scorer."""

    name: str
    scored_samples: int | None = None
    metrics: dict[str, Stated] = {}


class Results(_Whole):
    """The figures over all samples."""

    total_samples: int = 0
    completed_samples: int = 0
    scores: list[ScorerResult] = []


class Dataset(_Whole):
    """Where the questions are from."""

    name: str | None = None
    location: str | None = None


class Spec(_Whole):
    """What was asked of which model, and how."""

    used = {
        "task_args": frozenset({"language"}),
        "config": frozenset({"limit", "epochs"}),
        "model_args": frozenset({"model_path"}),
        "packages": frozenset({"inspect_ai"}),
    }

    task: str
    model: str
    created: str = ""
    task_args: dict[str, Any] = {}
    dataset: Dataset = Dataset()
    config: dict[str, Any] = {}
    model_args: dict[str, Any] = {}
    packages: dict[str, Any] = {}


class Plan(_Whole):
    """How the answers were generated."""

    used = {"config": frozenset({"temperature", "seed"})}

    config: dict[str, Any] = {}


class Header(_Whole):
    """A log without its samples."""

    version: int = Field(NEWEST, ge=1)
    status: str = "started"
    eval: Spec
    plan: Plan = Plan()
    results: Results | None = None


@dataclass(frozen=True)
class InspectLog:
    """A log; its samples can be gone through once."""

    header: Header
    samples: Iterator[Sample | None]
    """None stands for one that cannot be read."""


def is_log(value: Any) -> bool:
    """Whether a JSON value is a log of Inspect."""
    spec = value.get("eval") if isinstance(value, dict) else None
    return isinstance(spec, dict) and isinstance(spec.get("task"), str) and isinstance(spec.get("model"), str)


def log_of(value: dict[str, Any], name: str) -> InspectLog:
    """A log that was written as JSON.

    Raises:
        InputError: what is needed of it is not there, or it is of a newer version.
    """
    samples = value.get("samples")
    given = samples if isinstance(samples, list) else []
    return InspectLog(_header({**value, "samples": None}, name), (_sample(one) for one in given[:MOST_SAMPLES]))


def open_archive(path: Path) -> InspectLog:
    """A log that was written as `.eval`.

    Raises:
        InputError: it is not one, not finished, too large, or packed in a way that cannot be read here.
    """
    name = file_name(path)
    try:
        if path.stat().st_size > FILE_LIMIT:
            raise InputError(f"{name} is larger than {bytes_size(FILE_LIMIT)}; it was not read.")
        with ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist()}
    except (BadZipFile, NotImplementedError, ValueError) as error:
        raise InputError(f"{name} is no log of Inspect, or a part of one: {shorten(str(error))}.") from error
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}.") from error
    unpacked = sum(info.file_size for info in members.values())
    if unpacked > UNPACKED_LIMIT:
        raise InputError(f"{name} unpacks to {bytes_size(unpacked)}; it was not read.")
    if HEADER not in members:
        raise InputError(
            f"{name} holds no {HEADER}, which Inspect writes last: the evaluation did not end, or it is no log of it."
        )
    samples = [info for found, info in members.items() if found.startswith(SAMPLES) and found.endswith(".json")]
    [header] = _members(path, [members[HEADER]])
    if header is None:
        raise InputError(f"{name}: {HEADER} cannot be read here. {dump(name)}")
    return InspectLog(_header(header, name), (_sample(one) for one in _members(path, samples[:MOST_SAMPLES])))


def dump(name: str) -> str:
    """What to do with a log that cannot be read here."""
    return f"Where Inspect is installed, `inspect log dump {name} > log.json` writes it as JSON, which can be imported."


def _header(value: Any, name: str) -> Header:
    try:
        header = Header.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{name} is no usable log of Inspect: {where}: {shorten(first['msg'])}.") from error
    if header.version > NEWEST:
        raise InputError(f"{name} is of version {header.version}; logs of Inspect up to version {NEWEST} are read.")
    return header


def _sample(value: Any) -> Sample | None:
    try:
        return Sample.model_validate(value)
    except ValidationError:
        return None


def _members(path: Path, members: list[ZipInfo]) -> Iterator[Any]:
    """The JSON values of members; None for one that cannot be read."""
    try:
        with open(path, "rb") as file, ZipFile(file) as archive:
            for info in members:
                yield _read(file, archive, info)
    except (OSError, BadZipFile) as error:
        raise InputError(f"{file_name(path)} cannot be read: {shorten(str(error))}.") from error


def _read(file: IO[bytes], archive: ZipFile, info: ZipInfo) -> Any:
    if info.file_size > MEMBER_LIMIT:
        return None
    try:
        return json.loads(_zstandard(file, info) if info.compress_type == ZSTANDARD else archive.read(info))
    except (BadZipFile, NotImplementedError, OSError, ValueError, RuntimeError, zlib.error, struct.error):
        return None  # a RecursionError, which is a RuntimeError, too


def _zstandard(file: IO[bytes], info: ZipInfo) -> bytes:
    file.seek(info.header_offset)
    name, extra = struct.unpack("<26xHH", file.read(30))
    file.seek(name + extra, 1)
    packed = pa.BufferReader(file.read(info.compress_size))
    content = bytes(pa.CompressedInputStream(packed, "zstd").read(info.file_size))
    if zlib.crc32(content) != info.CRC:
        raise BadZipFile("its checksum is another one")
    return content
