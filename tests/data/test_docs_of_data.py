"""docs/data.md: each sentence of a refusal there is what the program says."""

import re
from pathlib import Path

import pytest

from medqa_core.data import own
from medqa_core.data.readers import file
from medqa_core.foundation.errors import InputError
from tests.support.docs_tables import refusals, section
from tests.support.git_lfs import POINTER

REFUSED: dict[str, tuple[str, bytes]] = {
    "a column is not found": ("my.csv", b"Frage,Antwort\nWas?,Das.\n"),
    "a row is short": ("my.csv", b"question,answer\nWhat?,That.\nWhy?\n"),
    "a row is long": ("my.csv", b"question,answer\nWhat?,That, and more.\n"),
    "an answer to nothing": ("my.csv", b"question,answer\n,That.\n"),
    "a number for a text": ("my.jsonl", b'{"question": "What?", "answer": 3}\n'),
    "a list for a text": ("my.jsonl", b'{"question": ["What?"], "answer": "That."}\n'),
    "broken JSON": ("my.jsonl", b'{"question": "What?", "answer": "That."}\n{"question": "Why?", "ans'),
    "no rows in JSON": ("my.json", b'{"a": 1, "b": [1]}'),
    "no object in JSON": ("my.jsonl", b"3\n"),
    "an empty file": ("my.jsonl", b""),
    "a torn download": ("my.parquet", b"PAR1"),
    "a torn archive": ("my.csv.gz", b"x"),
    "a clone without git-lfs": ("my.parquet", POINTER),
    "no answers": ("my.csv", b"question,answer\nWhat?,\n"),
    "unknown encoding": ("my.csv", bytes(range(128, 256)) * 4),
    "an old workbook": ("my.xls", b"x"),
    "a pickle": ("my.pkl", b"x"),
}


TOLD = refusals("data.md", "## What is refused")


@pytest.mark.parametrize("name", TOLD)
def test_a_refusal_reads_as_the_page_says(name: str, tmp_path: Path) -> None:
    suffix, content = REFUSED[name]
    (tmp_path / suffix).write_bytes(content)
    with pytest.raises(InputError) as caught:
        own.pairs([file.read(tmp_path / suffix)], suffix, {})
    assert TOLD[name] in str(caught.value)


def test_the_page_names_every_kind_of_file() -> None:
    assert set(REFUSED) == set(TOLD)
    assert set(re.findall(r"`(\.[a-z.]+)`", section("data.md", "## Files"))) == set(file.SUFFIXES)
