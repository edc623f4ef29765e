"""MMLU's CSV files: what is right is read, what is not is named with its file and row."""

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medqa_core.evaluation import mmlu_data
from medqa_core.evaluation.mmlu_data import load, read
from medqa_core.foundation.errors import DataUnavailable
from medqa_core.foundation.settings import Settings
from medqa_core.runs.artifacts.mmlu import SUBSETS
from tests.support.mmlu_folder import question, write_mmlu


@pytest.fixture
def settings(lab: Settings, tmp_path: Path) -> Settings:
    return replace(lab, mmlu=write_mmlu(tmp_path / "mmlu"), cache=tmp_path / "cache")


def rows_of(subset: str) -> dict[str, list[dict[str, Any]]]:
    """A subset as the hub has it, with the same rows as the folder."""
    rows = {"test": range(4), "dev": range(20, 25)}
    return {
        part: [
            {"question": q[0], "subject": subset, "choices": q[1:5], "answer": "ABCD".index(q[5])}
            for q in (question(subset, number) for number in numbers)
        ]
        for part, numbers in rows.items()
    }


def test_a_folder_is_read(settings: Settings) -> None:
    data = load(settings, shots=5)
    assert tuple(data.test) == tuple(data.examples) == SUBSETS
    assert {len(questions) for questions in data.test.values()} == {4}
    assert {len(questions) for questions in data.examples.values()} == {5}
    first = data.test["anatomy"][1]
    assert (first.text, list(first.choices), first.answer) == (
        question("anatomy", 1)[0],
        question("anatomy", 1)[1:5],
        1,
    )


def test_examples_count_only_where_they_are_shown(settings: Settings) -> None:
    assert settings.mmlu is not None
    with_examples, without = load(settings, shots=5).sha256, load(settings).sha256
    assert with_examples != without
    for path in (settings.mmlu / "dev").iterdir():
        path.unlink()
    assert load(settings).sha256 == without
    with pytest.raises(DataUnavailable, match=r"anatomy_dev\.csv is missing; set MEDQA_MMLU"):
        load(settings, shots=5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", r"anatomy_test\.csv holds no question"),
        ("\n\n", r"anatomy_test\.csv holds no question"),
        ("a?,1,2,3,4,A\nb?,1,2,3,4\n", "row 2: 5 columns, not 6"),
        ("a?,1,2,3,4,A,more\n", "row 1: 7 columns, not 6"),
        ("question,A,B,C,D,answer\n", "row 1: the answer is 'answer', not one of A, B, C, D"),
        ("a?,1,2,3,4,E\n", "row 1: the answer is 'E'"),
        ("a?,1,2,3,4,AB\n", "row 1: the answer is 'AB'"),
        ("a?,1,2,3,4,\n", "row 1: the answer is ''"),
        ("a?,1,,3,4,A\n", "row 1: the question or a choice is empty"),
        (" ,1,2,3,4,A\n", "row 1: the question or a choice is empty"),
        ('a?,1,2,3,4,A\n"b?,1,2,3,4,A\n', "row 2: unexpected end of data"),
        (b"a\xff?,1,2,3,4,A\n", "is not UTF-8"),
    ],
)
def test_a_damaged_file_is_named_with_its_row(settings: Settings, content: str | bytes, words: str) -> None:
    assert settings.mmlu is not None
    path = settings.mmlu / "test" / "anatomy_test.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataUnavailable, match=words) as caught:
        load(settings)
    assert "anatomy_test.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_quoted_line_breaks_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes('\ufeff"a\r\n""b""?",1,"2, or 3",None,nan, B\r\n'.encode())
    [found] = read(path)
    assert (found.text, found.choices, found.answer) == ('a\r\n"b"?', ("1", "2, or 3", "None", "nan"), 1)


def test_a_missing_subset_and_a_missing_folder(settings: Settings, tmp_path: Path) -> None:
    assert settings.mmlu is not None
    (settings.mmlu / "test" / "college_biology_test.csv").unlink()
    with pytest.raises(DataUnavailable, match=r"college_biology_test\.csv is missing; set MEDQA_MMLU to a folder"):
        load(settings)
    with pytest.raises(DataUnavailable, match=r"MEDQA_MMLU names .*gone, which is not a folder"):
        load(replace(settings, mmlu=tmp_path / "gone"))


def test_too_few_examples(settings: Settings) -> None:
    assert settings.mmlu is not None
    (settings.mmlu / "dev" / "anatomy_dev.csv").write_text("a?,1,2,3,4,A\n")
    with pytest.raises(DataUnavailable, match=r"anatomy_dev\.csv has 1 of the 5 examples"):
        load(settings, shots=5)


def test_the_hub_s_rows_are_the_folder_s_and_are_fetched_once(settings: Settings) -> None:
    asked: list[str] = []

    def download(subset: str) -> dict[str, list[dict[str, Any]]]:
        asked.append(subset)
        return rows_of(subset)

    bare = replace(settings, mmlu=None)
    fetched = load(bare, shots=5, download=download)
    assert fetched.sha256 == load(settings, shots=5).sha256
    assert fetched.source == "cais/mmlu"
    load(bare, shots=5, download=download)
    assert asked == list(SUBSETS)


def test_an_interrupted_fetch_leaves_nothing(settings: Settings) -> None:
    def download(subset: str) -> dict[str, list[dict[str, Any]]]:
        if subset == SUBSETS[3]:
            raise KeyboardInterrupt
        return rows_of(subset)

    with pytest.raises(KeyboardInterrupt):
        load(replace(settings, mmlu=None), download=download)
    assert not settings.cache.exists() or not [*settings.cache.rglob("*.csv")]


def test_out_of_reach_is_one_sentence(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(mmlu_data, "PATIENCE", 1.0)
    with pytest.raises(DataUnavailable, match=r"cais/mmlu.* cannot be reached: set MEDQA_MMLU to a folder") as caught:
        load(replace(settings, mmlu=None))
    assert "\n" not in str(caught.value)
