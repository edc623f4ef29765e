"""`metrics.jsonl`: the loss curve, appended a row a logged step and read whatever state it is in."""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from medqa_core.foundation.errors import RunError, UnreadableFile
from medqa_core.foundation.files import dumps
from medqa_core.foundation.lines import append, left_out, open_to_append
from medqa_core.foundation.paths import resolve_inside
from medqa_core.runs.metrics_log import cache
from medqa_core.runs.metrics_log.parsed_log import NO_ROWS, Log, skip_line
from medqa_core.runs.metrics_log.rows import NOT_FINITE, NUMBERS, STEP

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

    columns: dict[str, np.ndarray]
    non_finite_steps: tuple[int, ...] = ()
    """Steps at which the loss was NaN or infinite: a fact of the run, shown and not hidden."""

    def __len__(self) -> int:
        return len(self.columns["step"])

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]


@dataclass(frozen=True)
class MetricsLog:
    """The whole of `metrics.jsonl`."""

    train: Curve
    validation: Curve
    problems: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether there is no row at all."""
        return not len(self.train) and not len(self.validation)


def read_metrics_log(run_folder: Path) -> MetricsLog:
    """The curve of a run; missing, torn and odd rows are counted in `problems` and never raise."""
    try:
        path = resolve_inside(run_folder, "metrics.jsonl")
        if not path.is_file():
            raise UnreadableFile("metrics.jsonl is missing: this run has no curve.")
        log, problems = _read(path)
    except (RunError, OSError) as error:
        return MetricsLog(_curve(NO_ROWS), _curve(NO_ROWS), [str(error)])
    return MetricsLog(
        _curve(log.train.block), _curve(log.validation.block), problems + left_out("metrics.jsonl", log.odd)
    )


def _read(path: Path) -> tuple[Log, list[str]]:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > READ_LIMIT:
            file.seek(size - READ_LIMIT)
            skip_line(file)
            log = Log(parsed=file.tell())
            log.read_on(file)
        elif size >= cache.CACHED_FROM:
            log = cache.log_of(path, file)
        else:
            log = Log()
            log.read_on(file)
        cut = f"{path.name} is {size // 2**20} MiB; its last {READ_LIMIT // 2**20} were read."
        return log.with_end(file), [cut] * (size > READ_LIMIT)


def _curve(block: np.ndarray) -> Curve:
    columns = {name: block[place] for place, name in enumerate(NUMBERS)}
    return Curve(columns, tuple(int(step) for step in block[STEP][block[NOT_FINITE] > 0]))
