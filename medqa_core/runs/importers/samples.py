"""`samples_TASK_DATE.jsonl` of lm-evaluation-harness: whether each item was answered right. Its texts are not kept."""

import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from medqa_core.runs.importers.source import file_name, line, number

FILE_LIMIT = 512 * 2**20
"""Bytes of a samples file: each line holds the whole question and everything that was asked."""
LINE_LIMIT = 16 * 2**20
MOST_ITEMS = 200_000
METRICS = ("acc", "exact_match", "acc_norm")
"""The first of these that an item states is its score."""
_NAME = re.compile(r"samples_(?P<task>.+?)(?:_\d{4}-\d\d-\d\dT[\d.:-]+)?\.jsonl")


def read_samples(folder: Path, tasks: Collection[str]) -> tuple[pd.DataFrame | None, list[str]]:
    """The items of the samples files of these tasks in `folder`, of each the newest; None where there are none.

    Raises nothing: what cannot be read is a line of the second value.
    """
    try:
        with os.scandir(folder) as found:
            names = sorted(e.name for e in found if _NAME.fullmatch(e.name) and e.is_file())
    except OSError:
        return None, []
    newest = {m["task"]: name for name in names if (m := _NAME.fullmatch(name)) and m["task"] in tasks}
    rows: list[tuple[str, str, str, float]] = []
    problems = []
    for task, name in newest.items():
        read, odd = _items(folder / name, line(task, 120), MOST_ITEMS - len(rows))
        rows += read
        if odd:
            problems.append(odd)
    return (pd.DataFrame(rows, columns=["task", "item", "metric", "value"]) if rows else None), problems


def _items(path: Path, task: str, most: int) -> tuple[list[tuple[str, str, str, float]], str]:
    """The items of one file, once each, and what is wrong with it."""
    found: dict[str, tuple[str, str, str, float]] = {}
    left_out = 0
    try:
        if path.stat().st_size > FILE_LIMIT:
            return [], f"{file_name(path)} is larger than {FILE_LIMIT // 2**20} MiB; it was not read."
        with open(path, "rb") as file:
            while len(found) < most and (content := file.readline(LINE_LIMIT)):
                item = _item(content, task)
                if item is None:
                    left_out += bool(content.strip())
                else:
                    found.setdefault(f"{item[1]}\n{item[2]}", item)
    except OSError as error:
        return [], f"{file_name(path)} cannot be read: {error.strerror or error}."
    problem = f"{left_out:,} lines of {file_name(path)} state no score between 0 and 1." if left_out else ""
    return list(found.values()), problem


def _item(content: bytes, task: str) -> tuple[str, str, str, float] | None:
    try:
        row: Any = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    item = line(row.get("doc_hash"), 80) or (str(row["doc_id"]) if type(row.get("doc_id")) is int else "")
    for metric in METRICS:
        value = number(row.get(metric))
        if item and value is not None and 0 <= value <= 1:
            return task, item, metric, float(value)
    return None
