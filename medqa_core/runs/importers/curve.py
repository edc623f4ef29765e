"""Loss curves as tables and trackers hold them: CSV, lines of JSON, TensorBoard's event files, Trackio's database.

Each becomes rows of one log, which then reads like Trainer's. Event files are read without TensorFlow: of each record
only step, tag and a single number are looked at, and nothing in it is executed.
"""

import csv
import io
import json
import re
import sqlite3
import struct
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.format import plural
from medqa_core.runs.importers.draft import NO_ANSWERS, NO_BASE_FIGURES, Draft
from medqa_core.runs.importers.log_rows import normalised, whole
from medqa_core.runs.importers.source import decode, file_name, line, read_bytes, slug
from medqa_core.runs.importers.trainer import read_log
from medqa_core.runs.metrics_log.rows import MOST_STEPS

MOST_ROWS = 200_000
RECORD_LIMIT = 2**20
"""Bytes of one record of an event file: a number takes some fifty, a picture or a graph is passed over."""
EVENTS = re.compile(r"events\.out\.tfevents\..+")
FILES_TRIED = 50
SQLITE = b"SQLite format 3\x00"
STATES = (
    NO_BASE_FIGURES,
    NO_ANSWERS,
    "Settings, data, split and test figures: the source is a log of figures by step.",
)
"""What such a source never says."""
_TAG = re.compile(r".*tag-(?P<tag>[\w.-]+)\.csv", re.IGNORECASE)
_POINT, _COMMA = (re.compile(rf"\s*[-+]?\d+{mark}\d+(?:[eE][-+]?\d+)?\s*") for mark in (r"\.", ","))
"""Numbers with a decimal point, and with a decimal comma."""


def is_curve(content: bytes, name: str) -> bool:
    """Whether a file looks like one of these, by its first bytes and, for CSV, its header."""
    if content.startswith(SQLITE) or EVENTS.fullmatch(name):
        return True
    first = content[:20_000].lstrip()
    if first.startswith(b"{"):
        line, _, rest = first.partition(b"\n")
        return rest.lstrip().startswith(b"{") and b"step" in line.lower()
    header = first.partition(b"\n")[0].lower()
    return b"step" in header and any(mark in header for mark in (b",", b";", b"\t")) and b":" not in header


def read_curve(path: Path, content: bytes) -> Draft:
    """A file of rows as a draft.

    Raises:
        InputError: it holds no step with a number.
    """
    name = file_name(path)
    notes: list[str] = []
    if content.startswith(SQLITE):
        rows, notes = _trackio(path)
    elif EVENTS.fullmatch(path.name):
        rows = _merged(_events(content))
    else:
        text = decode(content, name)
        if text.lstrip().startswith("{"):
            rows = _json_lines(text)
        else:
            rows, notes = _table(text, path.name)
    return _draft(path, name, rows, notes)


def event_files(folder: Path) -> list[Path]:
    """TensorBoard's event files in a folder and the folders in it, in order of their names."""
    found = (path for path in (*folder.glob("*"), *folder.glob("*/*")) if EVENTS.fullmatch(path.name))
    return sorted(found)[:FILES_TRIED]


def read_events(folder: Path) -> Draft:
    """The event files of a folder as one draft.

    Raises:
        InputError: none of them holds a step with a number.
    """
    found = event_files(folder)
    rows = _merged(point for path in found for point in _events(read_bytes(path)))
    return _draft(folder, file_name(folder), rows, [])


def _draft(path: Path, name: str, rows: list[dict[str, Any]], notes: list[str]) -> Draft:
    if not any(whole(row.get("step")) is not None for row in map(normalised, rows)):
        raise InputError(f"{name} holds no row with a step: a curve needs a column `step` and one such as `loss`.")
    draft = read_log(path, rows)
    if not draft.metrics_lines and not draft.series:
        raise InputError(f"{name} holds steps and no figure beside them.")
    draft.format, draft.source, draft.suggested_id = "curve", name, slug(Path(name).stem)
    draft.title, draft.missing, draft.notes = f"Curve ({name})", [*STATES, *draft.missing], [*notes, *draft.notes]
    return draft


def _table(text: str, name: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of a CSV, and which other runs it holds.

    W&B's export names a column `RUN - METRIC`, for each run of a chart; TensorBoard's one metric in its file's name.
    """
    header = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text.lstrip()), delimiter=delimiter)
    try:
        columns = [cell.strip().rpartition(" - ")[::2] for cell in next(reader)]
        runs = list(dict.fromkeys(run for run, _ in columns if run))
        names = [_column(metric) if run in ("", *runs[:1]) else "" for run, metric in columns]
        if set(names) == {"wall_time", "step", "value"}:
            tag = _TAG.fullmatch(name)
            names = [("loss" if tag is None else _tag_name(tag["tag"])) if n == "value" else n for n in names]
        rows = []
        for cells in reader:
            row = {n: cell for n, cell in zip(names, cells, strict=False) if n and cell.strip()}
            row.pop("wall_time", None)
            rows.append(row)
            if len(rows) >= MOST_ROWS:
                break
    except (csv.Error, StopIteration) as error:
        raise InputError(f"the table cannot be read: {error or 'it is empty'}.") from error
    if delimiter == ";":
        rows = _with_points(rows)
    if len(runs) < 2:
        return rows, []
    others = f"It also holds {plural(len(runs) - 1, 'other run')}; export another one alone for its curve."
    return rows, [f"Run {line(runs[0], 60)}, the first of the table. {others}"]


def _with_points(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Decimal commas as points where no number has a point: there a comma may stand between thousands."""
    if any(_POINT.fullmatch(cell) for row in rows for cell in row.values()):
        return rows
    return [{n: cell.replace(",", ".") if _COMMA.fullmatch(cell) else cell for n, cell in row.items()} for row in rows]


def _column(name: str) -> str:
    """A column's name under Trainer's: `Training Loss` as `training_loss`; "" for W&B's bounds of what it smooths."""
    if name.endswith(("__MIN", "__MAX")):
        return ""
    return name if "/" in name else re.sub(r"\s+", "_", name.strip().lower())


def _tag_name(tag: str) -> str:
    """A tag that a file's name holds, its slash written as an underscore."""
    return re.sub(r"^(train|eval)_", r"\1/", tag)


def _json_lines(text: str) -> list[dict[str, Any]]:
    """A row a line; a line that is none is passed over."""
    return [row for one in text.splitlines()[:MOST_ROWS] if (row := _object(one))]


def _trackio(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The run of Trackio's database that was logged to last, and which others it holds."""
    try:
        with _database(path) as database:
            database.execute("PRAGMA trusted_schema=OFF")
            kind = database.execute("SELECT type FROM sqlite_master WHERE name = 'metrics'").fetchone()
            if kind != ("table",):
                raise InputError(f"{file_name(path)} is a database without Trackio's table `metrics`.")
            named = database.execute(
                "SELECT run_name FROM metrics GROUP BY run_name ORDER BY MAX(timestamp)"
            ).fetchall()
            runs = [str(name) for (name,) in named]
            query = "SELECT step, metrics FROM metrics WHERE run_name = ? ORDER BY step LIMIT ?"
            found = database.execute(query, (runs[-1] if runs else "", MOST_ROWS)).fetchall()
    except (sqlite3.Error, OSError) as error:
        raise InputError(f"{file_name(path)} cannot be read as Trackio's database: {error}.") from error
    rows = []
    for step, metrics in found:
        row = _object(metrics)
        rows.append({"_step": step, **row})
    if not runs:
        return rows, []
    others = f" It also holds {plural(len(runs) - 1, 'other run')}; the one logged to last was taken."
    return rows, [f"Run {runs[-1]} of the database.{others if len(runs) > 1 else ''}"]


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    """A database that is never written to: of one with a write-ahead log a copy, into which SQLite brings the log.

    A run that was killed leaves its last rows there, and so does one that goes on.
    """
    real = path.resolve()
    log = real.with_name(f"{real.name}-wal")
    if not log.is_file():
        with closing(sqlite3.connect(f"{real.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            yield database
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy.db")
        copy.write_bytes(read_bytes(real))
        Path(folder, "copy.db-wal").write_bytes(read_bytes(log))
        with closing(sqlite3.connect(copy)) as database:
            yield database


def _object(text: Any) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _merged(points: Iterator[tuple[int, str, float]]) -> list[dict[str, Any]]:
    """A row a step of what was logged by tag."""
    rows: dict[int, dict[str, Any]] = defaultdict(dict)
    for count, (step, tag, value) in enumerate(points):
        if count >= 10 * MOST_ROWS:
            break
        rows[step][tag] = value
    return [{"step": step, **rows[step]} for step in sorted(rows)]


def _events(content: bytes) -> Iterator[tuple[int, str, float]]:
    """Step, tag and value of each scalar: TFRecord framing (length, checksum, data, checksum) around Event messages.

    A record that is torn ends the reading, as a kill leaves it.
    """
    at = 0
    while at + 12 <= len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        end = at + 12 + length
        if end + 4 > len(content):
            return
        if length <= RECORD_LIMIT:
            yield from _scalars(content[at + 12 : end])
        at = end + 4


def _scalars(message: bytes) -> Iterator[tuple[int, str, float]]:
    """The scalars of one Event: field 2 is the step, 5 a summary of values with a tag (1) and a number (2, or 8)."""
    try:
        fields = list(_fields(message))
        step = next((value for number, value in fields if number == 2 and isinstance(value, int)), 0)
        for number, summary in fields:
            if number != 5 or not isinstance(summary, bytes):
                continue
            for _, value in _fields(summary):
                if isinstance(value, bytes):
                    yield from _scalar(step, value)
    except (ValueError, struct.error, UnicodeDecodeError):
        return


def _scalar(step: int, message: bytes) -> Iterator[tuple[int, str, float]]:
    parts = dict(_fields(message))
    tag, simple, tensor = parts.get(1), parts.get(2), parts.get(8)
    number = simple if isinstance(simple, float) else _of_tensor(tensor) if isinstance(tensor, bytes) else None
    if isinstance(tag, bytes) and number is not None and 0 <= step < MOST_STEPS:
        yield step, tag.decode("utf-8"), number


def _of_tensor(message: bytes) -> float | None:
    """The one float of a TensorProto (dtype 1): in `tensor_content` (4) or packed in `float_val` (5)."""
    parts = dict(_fields(message))
    packed = parts.get(5, parts.get(4))
    if parts.get(1) != 1 or not isinstance(packed, bytes | float):
        return None
    if isinstance(packed, float):
        return packed
    return float(struct.unpack("<f", packed)[0]) if len(packed) == 4 else None


def _fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """The fields of a protocol buffer: number and value, which is a whole number, a float, or bytes.

    Raises:
        ValueError: it is none, or cut off.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            yield key >> 3, float(struct.unpack_from("<d" if kind == 1 else "<f", message, at)[0])
            at += size
        elif kind == 2:
            size, at = _varint(message, at)
            if at + size > len(message):
                raise ValueError("cut off")
            yield key >> 3, message[at : at + size]
            at += size
        else:
            raise ValueError("no such field")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 64:
        value |= (message[at] & 127) << shift
        at += 1
        if message[at - 1] < 128:
            return value, at
        shift += 7
    raise ValueError("no whole number")
