"""`metrics.jsonl`: the loss curve, appended a row a logged step and read whatever state it is in."""

import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from medqa_core.foundation.errors import RunError, UnreadableFile
from medqa_core.foundation.files import dumps
from medqa_core.foundation.lines import append, left_out, open_to_append, read_lines
from medqa_core.foundation.paths import resolve_inside

NUMBERS = ("step", "epoch", "attempt", "time", "loss", "learning_rate", "grad_norm", "tokens", "examples")
READ_LIMIT = 32 * 2**20
"""Bytes read of a metrics file; of a larger one the end is read, and the reader says so."""

SplitName = Literal["train", "validation"]


def encode_row(split: SplitName, **values: float | int | None) -> str:
    """One line of the file. A non-finite value is recorded as null and named in `non_finite`."""
    bad = sorted(name for name, value in values.items() if value is not None and not math.isfinite(value))
    row: dict[str, Any] = {"split": split} | {n: None if n in bad else v for n, v in values.items()}
    if bad:
        row["non_finite"] = bad
    return dumps(row) + "\n"


class SeriesWriter:
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
class Series:
    """The whole of `metrics.jsonl`."""

    train: Curve
    validation: Curve
    problems: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether there is no row at all."""
        return not len(self.train) and not len(self.validation)


def read_series(run_folder: Path) -> Series:
    """The curve of a run; missing, torn and odd rows are counted in `problems` and never raise."""
    try:
        path = resolve_inside(run_folder, "metrics.jsonl")
        if not path.is_file():
            raise UnreadableFile("metrics.jsonl is missing: this run has no curve.")
        lines, problems = read_lines(path, READ_LIMIT)
    except (RunError, OSError) as error:
        return Series(_curve([]), _curve([]), [str(error)])
    rows, odd = _parse(lines)
    return Series(
        _curve(r for r in rows if r["split"] == "train"),
        _curve(r for r in rows if r["split"] == "validation"),
        problems + left_out("metrics.jsonl", odd),
    )


def _parse(lines: Iterable[str]) -> tuple[list[dict[str, Any]], int]:
    rows, odd = [], 0
    for line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            odd += 1
            continue
        step = row.get("step") if isinstance(row, dict) else None
        if type(step) is int and 0 <= step < 2**53 and row.get("split") in ("train", "validation"):
            rows.append(row)
        else:
            odd += 1
    return rows, odd


def _curve(rows: Iterable[dict[str, Any]]) -> Curve:
    """Columns in step order; of a step logged twice (a resumed run) the last attempt counts."""
    by_step = {row["step"]: row for row in rows}
    ordered = [by_step[step] for step in sorted(by_step)]
    columns = {name: np.array([_number(row.get(name)) for row in ordered], dtype=np.float64) for name in NUMBERS}
    bad = tuple(row["step"] for row in ordered if _odd_loss(row))
    return Curve(columns, bad)


def _odd_loss(row: dict[str, Any]) -> bool:
    named, loss = row.get("non_finite"), row.get("loss")
    return (isinstance(named, list) and "loss" in named) or (isinstance(loss, float) and not math.isfinite(loss))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value) if math.isfinite(value) else math.nan
    except OverflowError:
        return math.nan
