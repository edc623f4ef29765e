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
_DATE = r"(?P<date>\d{4}-\d\d-\d\dT[\d.:-]+)"
_NAME = re.compile(rf"samples_(?P<task>.+?)(?:_{_DATE})?\.jsonl")
_RESULTS = re.compile(rf"results_{_DATE}\.json")
OF_ANOTHER = "Samples beside the file are of another date, so of another evaluation; they were not read."


def read_samples(results: Path, tasks: Collection[str]) -> tuple[pd.DataFrame | None, list[str]]:
    """The items of the samples files of these tasks beside `results`; None where there are none.

    The harness gives all files of an evaluation one date. Where the results or the samples have none, the newest
    samples of a task count.

    Raises nothing: what cannot be read is a line of the second value.
    """
    folder, date = results.parent, _second(_RESULTS.fullmatch(results.name))
    try:
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if _NAME.fullmatch(e.name) and e.is_file())
    except OSError:
        return None, []
    found = [m for name in names if (m := _NAME.fullmatch(name)) and m["task"] in tasks]
    ours = [m for m in found if date is None or _second(m) in (None, date)]
    newest = {m["task"]: m.string for m in ours}
    rows: list[tuple[str, str, str, float]] = []
    problems = [OF_ANOTHER] if found and not ours else []
    for task, name in newest.items():
        read, odd = _items(folder / name, line(task, 120), MOST_ITEMS - len(rows))
        rows += read
        if odd:
            problems.append(odd)
    return (pd.DataFrame(rows, columns=["task", "item", "metric", "value"]) if rows else None), problems


def _second(found: re.Match[str] | None) -> str | None:
    """The date in a file's name, to the second; None where it has none."""
    return found["date"].replace(":", "-")[:19] if found and found["date"] else None


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
