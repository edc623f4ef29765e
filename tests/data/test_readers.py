"""Files of every kind become the same rows; what was detected is said, and several faults are told at once."""

import gzip
import json
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import ipc

from medqa_core.data import own, sources, tables
from medqa_core.data.pairs import PairSet
from medqa_core.data.readers import columnar, file
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from tests.support.git_lfs import POINTER

ROWS = [("Was ist Müdigkeit?", "Ein Gefühl der Erschöpfung, es hört auf."), ("¿Qué es la fiebre?", "Más de 38 °C.")]
TABLE = "question,answer\n" + "".join(f'"{q}","{a}"\n' for q, a in ROWS)


def read(path: Path, content: bytes | None = None) -> PairSet:
    if content is not None:
        path.write_bytes(content)
    return own.pairs([file.read(path)], path.name, {})


def asked(data: PairSet) -> list[tuple[str, str]]:
    return [(pair.question, pair.answer) for pair in data.pairs]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (TABLE.encode("utf-8"), ""),
        (TABLE.encode("utf-8-sig"), ""),
        (TABLE.encode("utf-16"), "read as UTF-16, as its first bytes say"),
        (TABLE.encode("utf-32"), "read as UTF-32, as its first bytes say"),
        (TABLE.encode("utf-16-le"), "read as UTF-16"),
        (TABLE.encode("utf-16-be"), "read as UTF-16"),
        (
            TABLE.encode("cp1252"),
            "not UTF-8: read as Windows-1252, as charset-normalizer finds it (it reads Müdigkeit,",
        ),
    ],
)
def test_encodings_are_found_and_named(tmp_path: Path, content: bytes, words: str) -> None:
    data = read(tmp_path / "my.csv", content)
    assert asked(data) == ROWS
    assert any(words in line for line in data.filters)
    assert words or not any("read as" in line for line in data.filters)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1250", "Co to jest żółtaczka?,Żółtaczka to objaw chorób wątroby; skóra staje się żółta."),
        ("cp1251", "Что такое подагра?,Подагра это болезнь суставов; откладываются соли."),
        ("koi8_r", "Что такое подагра?,Подагра это болезнь суставов; откладываются соли."),
        ("gb18030", "什么是痛风？,痛风是一种关节炎，由尿酸结晶引起。"),
        ("cp932", "痛風とは何ですか？,痛風は関節の病気です。血液中の尿酸が増えます。"),
    ],
)
def test_letters_of_other_scripts_come_out(tmp_path: Path, encoding: str, text: str) -> None:
    data = read(tmp_path / "my.csv", f"question,answer\n{text}\n".encode(encoding))
    assert asked(data) == [tuple(text.split(","))]


@pytest.mark.parametrize(
    "head",
    ["sep=;\r\nquestion;answer", '"sep=;"\nQuestion;Answer', "question;answer", "q|a", "question\tanswer", "\ufeffq;a"],
)
def test_delimiters_are_found(tmp_path: Path, head: str) -> None:
    mark = next(one for one in ";|\t" if one in head.splitlines()[-1])
    body = "".join(f'{q}{mark}"{a}"\n' for q, a in ROWS)
    data = read(tmp_path / "my.csv", f"{head}\n{body}".encode())
    assert asked(data) == ROWS
    assert any("cells are separated by" in line for line in data.filters)
    with pytest.raises(
        InputError, match=rf"^my\.csv: row {4 if 'sep' in head else 3}, column '([aA]|A)(nswer)?': missing"
    ):
        read(tmp_path / "my.csv", f"{head}\n{ROWS[0][0]}{mark}x\nWhy?\n".encode())


@pytest.mark.parametrize("blank", ["\n", "\r\n  \r\n", "sep=;\n\n"])
def test_the_header_may_stand_below_blank_lines(tmp_path: Path, blank: str) -> None:
    body = "".join(f'{q};"{a}"\n' for q, a in ROWS)
    data = read(tmp_path / "my.csv", f"{blank}question;answer\n{body}".encode())
    assert asked(data) == ROWS
    assert "cells are separated by a semicolon" in data.filters


ITEMS = [{"question": q, "answer": a} for q, a in ROWS]
JSON: list[tuple[Any, str]] = [
    (ITEMS, ""),
    ({"train": ITEMS[:1], "test": ITEMS[1:], "about": "x"}, "train (1 row), test (1 row); left aside: about"),
    ({"data": ITEMS}, "parts read, one after the other: data (2 rows)"),
    ({"question": [q for q, _ in ROWS], "answer": [a for _, a in ROWS]}, ""),
    ({"question": {"0": ROWS[0][0], "1": ROWS[1][0]}, "answer": {"0": ROWS[0][1], "1": ROWS[1][1]}}, ""),
    ({"columns": ["question", "answer"], "index": [0, 1], "data": [list(row) for row in ROWS]}, ""),
    ({"x1": ITEMS[0], "x2": ITEMS[1]}, "the keys are the ids"),
]


@pytest.mark.parametrize(("value", "words"), JSON)
@pytest.mark.parametrize("indent", [None, 2])
def test_json_of_every_shape(tmp_path: Path, value: Any, words: str, indent: int | None) -> None:
    data = read(tmp_path / "my.json", json.dumps(value, indent=indent, ensure_ascii=False).encode())
    assert asked(data) == ROWS
    assert any(words in line for line in data.filters)


def test_one_object_is_one_row_and_what_is_no_table_says_so(tmp_path: Path) -> None:
    assert asked(read(tmp_path / "my.json", json.dumps(ITEMS[0], indent=1).encode())) == ROWS[:1]
    for value, words in (
        ({"a": 1, "b": [1]}, "one object with a, b, in which no rows are found; write a list of objects"),
        ({"question": ["x"], "answer": ["y", "z"]}, "its columns are not equally long (question 1, answer 2)"),
        ({}, "one object with no keys"),
    ):
        with pytest.raises(InputError) as caught:
            read(tmp_path / "my.json", json.dumps(value).encode())
        assert words in str(caught.value)
    with pytest.raises(InputError, match=r"^my\.json: row 2, column 14: torn, or not valid JSON"):
        read(tmp_path / "my.json", b'{\n "question": tru\n')


def test_packed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "\n".join(json.dumps(item, ensure_ascii=False) for item in ITEMS).encode()
    for name, content in (("my.csv.gz", TABLE.encode()), ("my.jsonl.gz", lines), ("MY.CSV.GZ", TABLE.encode())):
        assert asked(read(tmp_path / name, gzip.compress(content))) == ROWS
    whole = gzip.compress(TABLE.encode())
    for content in (b"question,answer\n", whole[:-12], whole[:20] + b"xxxx" + whole[24:]):
        with pytest.raises(InputError, match=r"my\.csv\.gz is torn, or not a gzip file"):
            read(tmp_path / "my.csv.gz", content)
    monkeypatch.setattr(tables, "FILE_LIMIT", 1000)
    with pytest.raises(InputError, match="unpacks to more than 0 MiB; split it, it was not read"):
        read(tmp_path / "my.csv.gz", gzip.compress(b"question,answer\n" + b"x" * 10_000))


def workbook(path: Path, *sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    for number, rows in enumerate(sheets):
        sheet = book.active if number == 0 else book.create_sheet(f"Sheet {number}")
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_excel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [
        ["How many bones?", 206.0],
        ["When?", date(2024, 5, 1)],
        ["At?", datetime(2024, 5, 1, 8, 30)],
        ["π?", 3.14],
    ]
    path = workbook(
        tmp_path / "my.xlsx", [], [[None], ["question", "answer", None], *map(list, ROWS), *numbers], [["x"]]
    )
    data = read(path)
    assert asked(data) == [
        *ROWS, ("How many bones?", "206"), ("When?", "2024-05-01"), ("At?", "2024-05-01T08:30:00"), ("π?", "3.14"),
    ]  # fmt: skip
    assert "sheet 'Sheet 1' read; left aside: Sheet, Sheet 2" in data.filters
    with pytest.raises(InputError, match=r"^my\.xlsx: row 2, column 'question': empty, though the row has an answer"):
        read(workbook(path, [["question", "answer"], [None, "An answer to nothing."]]))
    with pytest.raises(InputError, match=r"my\.xlsx holds no rows"):
        read(workbook(path, []))
    whole = workbook(path, [["question", "answer"], ["What?", "That."]]).read_bytes()
    for content in (b"question,answer\n", whole[: len(whole) // 2]):
        with pytest.raises(InputError, match=r"my\.xlsx is torn, or not an Excel workbook; save it again"):
            read(path, content)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<not><closed>")
    with pytest.raises(InputError, match=r"my\.xlsx is torn, or not an Excel workbook"):
        read(path)
    monkeypatch.setattr(tables, "FILE_LIMIT", 100_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "x" * 200_000)
    with pytest.raises(InputError, match="unpacks to more than 0 MiB"):
        read(path)


def test_a_sheet_in_front_that_is_not_the_data_is_named_with_the_others(tmp_path: Path) -> None:
    path = workbook(tmp_path / "my.xlsx", [["About these data"], ["Made up."]], [["question", "answer"], list(ROWS[0])])
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value) == (
        "my.xlsx: row 1, column 'question': missing; the columns are 'About these data' (sheet 'Sheet' read; left "
        "aside: Sheet 1). Say which one it is: columns question=COLUMN."
    )


def test_cells_at_the_end_of_a_sheet_s_row_may_never_have_been_filled(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["question", "answer", "topic"],
        [*ROWS[0], "Schlaf"],
        ["Was ist Gicht?"],
        [*ROWS[1], None, "beside"],
    ]
    data = read(workbook(tmp_path / "my.xlsx", rows))
    assert asked(data) == ROWS
    assert (data.pairs_parsed, data.pairs_answered) == (3, 2)
    assert [pair.topic for pair in data.pairs] == ["Schlaf", ""]


def saved(folder: Path, rows: list[dict[str, str]], writer: Callable[..., Any] = ipc.new_stream) -> Path:
    """A part of a data set as `datasets.save_to_disk` writes it."""
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(rows)
    with writer(str(folder / "data-00000-of-00001.arrow"), table.schema) as made:
        made.write_table(table)
    (folder / "cache-1.arrow").write_bytes(b"not read")
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    return folder


@pytest.fixture
def lab(tmp_path: Path) -> Settings:
    return Settings(reports=tmp_path / "reports", cache=tmp_path / "cache", medquad=None, mmlu=None, public=False)


def test_folders_of_save_to_disk(tmp_path: Path, lab: Settings) -> None:
    assert asked(sources.load(str(saved(tmp_path / "one", ITEMS)), lab)) == ROWS
    for part, items in (("train", ITEMS[:1]), ("test", ITEMS[1:])):
        saved(tmp_path / "both" / part, items)
    (tmp_path / "both" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    data = sources.load(str(tmp_path / "both"), lab)
    assert asked(data) == ROWS
    assert "2 parts read, one after the other: train, test" in data.filters
    arrow = saved(tmp_path / "file", ITEMS, ipc.new_file) / "data-00000-of-00001.arrow"
    assert asked(sources.load(str(arrow), lab)) == ROWS


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ('{"_data_files": [{"filename": "../../secret.arrow"}]}', "names '../../secret.arrow', which is not in it"),
        ('{"_data_files": [{"filename": "gone.arrow"}]}', "gone.arrow is missing; save the data set again"),
        ('{"_data_files": []}', "holds no rows"),
        ("{}", "not as `datasets` saves a data set"),
        ("[", "not as `datasets` saves a data set"),
        ('{"_data_files": [{"filename": "state.json"}]}', "state.json is torn, or not an Arrow file"),
    ],
)
def test_a_saved_folder_that_is_not_whole(tmp_path: Path, state: str, words: str) -> None:
    folder = saved(tmp_path / "my", ITEMS)
    (folder / "state.json").write_text(state)
    with pytest.raises(InputError) as caught:
        list(columnar.saved(folder).rows)
    assert words in str(caught.value)
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "dataset_dict.json").write_text('{"splits": []}')
    with pytest.raises(InputError, match="none holds no part"):
        columnar.saved(tmp_path / "none")


@pytest.mark.parametrize("name", ["my.csv", "my.jsonl", "my.csv.gz", "my.xlsx", "my.parquet", "my.arrow"])
def test_what_a_clone_without_git_lfs_holds_says_what_to_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"^{name} is a pointer of Git LFS, .*; run `git lfs pull` in its folder\.$"):
        read(tmp_path / name, POINTER)
    folder = saved(tmp_path / "one", ITEMS)
    (folder / "data-00000-of-00001.arrow").write_bytes(POINTER)
    with pytest.raises(InputError, match=r"^one: data-00000-of-00001\.arrow is a pointer of Git LFS"):
        columnar.saved(folder)


def test_what_datasets_itself_saves_is_read(tmp_path: Path, lab: Settings) -> None:
    import datasets

    datasets.disable_progress_bars()
    made = datasets.Dataset.from_list(ITEMS)
    datasets.DatasetDict({"train": made, "test": made.select([1])}).save_to_disk(tmp_path / "my")
    data = sources.load(str(tmp_path / "my"), lab)
    assert (asked(data), data.duplicates_dropped) == (ROWS, 1)


def test_several_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path / "my.csv", b"question,answer\nWhat?,That.\nWhy?\nHow?,so,so\n,Nothing.\nWho?\n")
    assert str(caught.value) == (
        "my.csv: row 3, column 'answer': missing, the row ends after 1 of 2; give it a cell or delete the row; "
        "row 4, column 3: 3 fields where the header has 2; a text that holds ',' needs quotation marks; "
        "row 5, column 'question': empty, though the row has an answer; fill it in or delete the row; and 1 beside."
    )
    with pytest.raises(InputError, match=r"row 1, column 2: torn.*; row 2: not a JSON object.*; row 4, column 1: torn"):
        read(tmp_path / "my.jsonl", b'{x\n3\n{"question": "W", "answer": "T"}\nx\n')
    with pytest.raises(InputError, match=r"and 47 or more beside\.$"):
        read(tmp_path / "my.csv", b"question,answer\n" + b"Why?\n" * 100)
    with pytest.raises(InputError, match=r"^my\.csv: row 2, column 'answer': missing"):  # before it is torn
        read(tmp_path / "my.csv", b'question,answer\nWhy?\nWhat?,"That')


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my.xls", "save it as .xlsx or CSV"),
        ("my.pkl", "pickles are never opened; save it as Parquet"),
        ("my.txt", "name it .csv if its first line names columns"),
        ("my.gz", "name it .csv.gz, .tsv.gz, .json.gz or .jsonl.gz"),
        ("my", "ends in one of .csv, .tsv"),
    ],
)
def test_other_files_are_refused_with_what_helps(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError) as caught:
        file.read(tmp_path / name)
    assert words in str(caught.value)
