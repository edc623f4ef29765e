"""`metrics.jsonl`: the loss curve, appended a row a logged step and read whatever state it is in."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from medqa_core.foundation.errors import RunError, UnreadableFile
from medqa_core.foundation.files import dumps
from medqa_core.foundation.lines import append, left_out, open_to_append
from medqa_core.foundation.paths import resolve_inside
from medqa_core.runs.metrics_log import cache
from medqa_core.runs.metrics_log.parsed_log import NO_ROWS, ParsedLog, skip_line
from medqa_core.runs.metrics_log.rows import NOT_FINITE, NUMBERS, STEP

METRICS_LOG = "metrics.jsonl"
READ_LIMIT = 256 * 2**20
"""Bytes read of a metrics file, more than a million rows; of a larger one the end is read, and the reader says so."""

SplitName = Literal["train", "validation"]


def encode_row(split: SplitName, **values: float | int | None) -> str:
    """One line of the file. A non-finite value is recorded as null and named in `non_finite`."""
    bad = sorted(name for name, value in values.items() if value is not None and not math.isfinite(value))
    row: dict[str, Any] = {"split": split} | {n: None if n in bad else v for n, v in values.items()}
    if bad:
        row["non_finite"] = bad
    return dumps(row) + "\n"


class MetricsLogWriter:
    """Appends rows to one file; each row is one write, so a kill leaves at most one torn last line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = open_to_append(path)

    def append(self, split: SplitName, **values: float | int | None) -> None:
        """One row, on disk when this returns."""
        append(self._descriptor, encode_row(split, **values))

    def close(self) -> None:
        """Close the file; the writer is not used afterwards."""
        os.close(self._descriptor)


@dataclass(frozen=True)
class Curve:
    """One split's rows as columns of equal length (float64; NaN where a row has no value)."""

    columns: Mapping[str, np.ndarray]
    non_finite_steps: tuple[int, ...] = ()
    """Steps at which the loss was NaN or infinite: a fact of the run, shown and not hidden."""

    def __len__(self) -> int:
        return len(self.columns["step"])

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]


@dataclass(frozen=True)
class MetricsLog:
    """The whole of `metrics.jsonl`; its arrays are read-only."""

    train: Curve
    validation: Curve
    problems: tuple[str, ...] = ()
    """What is wrong with the file, one line each."""
    missing: bool = False
    """Whether there is no such file, which is no problem: the run has no curve."""

    @property
    def empty(self) -> bool:
        """Whether there is no row at all."""
        return not len(self.train) and not len(self.validation)


def read_metrics_log(run_folder: Path) -> MetricsLog:
    """The curve of a run; torn and odd rows are counted in `problems` and never raise."""
    try:
        path = resolve_inside(run_folder, METRICS_LOG)
        if not path.exists():
            return MetricsLog(_curve(NO_ROWS), _curve(NO_ROWS), missing=True)
        if not path.is_file():  # opening a named pipe would wait for a writer
            raise UnreadableFile(f"{METRICS_LOG} is not a file.")
        log, problems = _read(path)
    except RunError as error:
        return MetricsLog(_curve(NO_ROWS), _curve(NO_ROWS), (str(error),))
    except OSError as error:
        problem = f"{METRICS_LOG} cannot be read: {error.strerror or error}."
        return MetricsLog(_curve(NO_ROWS), _curve(NO_ROWS), (problem,))
    train, validation = _curve(log.train.block), _curve(log.validation.block)
    return MetricsLog(train, validation, (*problems, *left_out(METRICS_LOG, log.odd)))


def _read(path: Path) -> tuple[ParsedLog, list[str]]:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > READ_LIMIT:
            file.seek(size - READ_LIMIT)
            skip_line(file)
            log = ParsedLog(parsed=file.tell())
            log.read_on(file)
        elif size >= cache.CACHED_FROM:
            log = cache.cached_log(path, file)
        else:
            log = ParsedLog()
            log.read_on(file)
        cut = f"{path.name} is {size // 2**20} MiB; its last {READ_LIMIT // 2**20} were read."
        return log.with_end(file), [cut] * (size > READ_LIMIT)


def _curve(block: np.ndarray) -> Curve:
    columns = {name: block[place] for place, name in enumerate(NUMBERS)}
    return Curve(MappingProxyType(columns), tuple(int(step) for step in block[STEP][block[NOT_FINITE] > 0]))
