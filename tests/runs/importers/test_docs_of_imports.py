"""docs/run-folder.md: each format that it names is read as that one, each sentence of a refusal is what is said."""

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args
from zipfile import ZipFile

import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.runs.importers.importer import read_draft
from medqa_core.runs.schema.record import ImportRecord
from tests.support.docs_tables import refusals, section
from tests.support.foreign_runs import SUMMARY, inspect_log, lm_eval, trainer_folder

Make = Callable[[Path], object]
TOLD = refusals("run-folder.md", "### What is refused")


def value(name: str, content: Any) -> Make:
    return lambda folder: (folder / name).write_text(json.dumps(content))


def text(name: str, content: str) -> Make:
    return lambda folder: (folder / name).write_text(content)


def raw(name: str, content: bytes) -> Make:
    return lambda folder: (folder / name).write_bytes(content)


def database(folder: Path) -> None:
    with sqlite3.connect(folder / "x.db") as made:
        made.execute("CREATE TABLE other (a)")


def without_header(folder: Path) -> None:
    with ZipFile(folder / "log.eval", "w") as out:
        out.writestr("_journal/start.json", "{}")


READ: dict[str, Make] = {
    "summary": text("log.txt", SUMMARY),
    "trainer": lambda folder: trainer_folder(folder / "out"),
    "curve": text("curve.csv", "step,loss\n1,2.5\n2,2.25\n"),
    "lm-eval": value("results.json", lm_eval()),
    "inspect": value("log.json", inspect_log([1, 0])),
}
"""An example of each format; `model` is a folder with weights and has a page of its own."""
REFUSED: dict[str, Make] = {
    "nothing at the path": lambda folder: None,
    "an empty folder": lambda folder: (folder / "out").mkdir(),
    "an empty file": raw("log.txt", b""),
    "a binary file": raw("log.txt", b"Test Loss: 2.04\0"),
    "text in another encoding": raw("log.txt", "Test Loss: 2.0 é".encode("latin-1")),
    "a text without figures": text("log.txt", "It went well."),
    "torn JSON": text("x.json", '{"results": '),
    "JSON of no known kind": value("x.json", {"a": 1}),
    "a Trainer state without a log": value("trainer_state.json", {"global_step": 3}),
    "results without a figure": value("results.json", {"results": {"task": {"alias": "task"}}}),
    "a table without steps": text("x.csv", "step,loss\n,1\n"),
    "steps without figures": text("x.csv", "step,note\n1,\n"),
    "another database than Trackio's": database,
    "a log of Inspect that did not end": without_header,
    "a log of Inspect without a score": value("log.json", inspect_log([]) | {"status": "error", "results": None}),
    "a log of a newer Inspect": value("log.json", inspect_log([1]) | {"version": 3}),
}


def made(folder: Path, make: Make) -> Path:
    make(folder)
    return next(folder.iterdir(), folder / "nothing")


def test_the_table_of_formats_is_whole() -> None:
    named = re.findall(r"(?m)^\| `([a-z-]+)` \| ", section("run-folder.md", "## Imported runs"))
    assert sorted(named) == sorted(get_args(ImportRecord.model_fields["format"].annotation))
    assert set(named) == {*READ, "model"} and set(TOLD) == set(REFUSED)


@pytest.mark.parametrize("name", READ)
def test_a_format_is_read_as_what_the_page_calls_it(name: str, tmp_path: Path) -> None:
    assert read_draft(made(tmp_path, READ[name]), keep_prose=False).format == name


@pytest.mark.parametrize("name", TOLD)
def test_a_refusal_reads_as_the_page_says(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_draft(made(tmp_path, REFUSED[name]), keep_prose=False)
    assert TOLD[name] in str(caught.value)
