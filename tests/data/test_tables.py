"""What does not fit is refused with file, row and column, the row counted as a person counts the file's lines."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from medqa_core.data import own, tables
from medqa_core.data.pairs import PairSet
from medqa_core.data.readers import file
from medqa_core.foundation.errors import InputError, MedQAError


def read(path: Path, **columns: str) -> PairSet:
    return own.pairs([file.read(path)], path.name, columns)


def refused(path: Path, content: bytes | str, **columns: str) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError) as caught:
        read(path, **columns)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(path.name)
    return str(caught.value).removeprefix(path.name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("question,answer\nWhat?,That.\nWhy?\n", ": row 3, column 'answer': missing"),
        ("question,answer\nWhat?,That, and more.\n", ": row 2, column 3: 3 fields where the header has 2"),
        ('question,answer\n"What\nis\nit?",That.\nWhy?\n', ": row 5, column 'answer': missing"),
        (
            'question,answer\n\n\nWhat?,"That.\nAnd on',
            ": row 4: not a valid row (unexpected end of data); a quotation mark",
        ),
        ("question,answer\nWas ist Öl?,Das hört".encode() + b" au\xdf.\n", ": row 2, column 'answer': not UTF-8 text"),
        ("question,answer\nWhat?,That.\n,An answer to nothing.\n", ": row 3, column 'question': empty"),
        ("Frage,Antwort\nWas?,Das.\n", ": row 1, column 'question': missing; the columns are 'Frage', 'Antwort'."),
        ("question,answer,answer\nWhat?,That.,This.\n", ": row 1, column 'answer': appears twice"),
        ("", ": row 1: there are no column names"),
        ("question,answer\nWhat?,\n", ": none of its 1 questions has an answer; fill the answers in."),
        (b"\xff\xfeq\x00,\x00a\x00\n\x00", " holds no question; give it a row"),
        (b"\xff\xfeq\x00,\x00a\x00\n", ": begins as UTF-16 and is torn at byte 8"),
        (bytes(range(128, 256)) * 4, ": its encoding cannot be told, it may be no text; save the file as UTF-8"),
        (f"question,answer\nWhat?,{'a' * 200_000}\n", ": none of its 1 questions has an answer (1 row with more than"),
    ],
)
def test_csv(tmp_path: Path, content: bytes | str, words: str) -> None:
    assert refused(tmp_path / "my.csv", content).startswith(words)


GOOD = '{"question": "What?", "answer": "That."}\n'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GOOD + '{"question": "Why?", "ans', ": row 2, column 22: torn, or not valid JSON"),
        (GOOD + "\n\n[1, 2]\n", ": row 4: not a JSON object"),
        (
            GOOD + '{"question": "Why?", "answer": 3}\n',
            ": row 2, column 'answer': a number where text is needed; write it",
        ),
        (GOOD + '{"question": ["Why?"], "answer": "So."}\n', ": row 2, column 'question': a list where text"),
        (GOOD + '{"question": "Why?"}\n', ": row 2, column 'answer': missing"),
        (GOOD + '{"question": "\\ud800", "answer": "So."}\n', ": row 2: not valid JSON"),
        (GOOD + '{"question": "Why?", "answer": NaN}\n', ": row 2: not valid JSON (NaN is not JSON)"),
        (
            GOOD.encode() + '{"question": "Öl, Äther?", "answer": "'.encode() + b'\xe9"}\n',
            ": row 2, column 'answer': not UTF-8",
        ),
        (GOOD + "[" * 100_000, ": row 2"),
        ("\n \n", " holds no rows; write one for each"),
    ],
)
def test_json_lines(tmp_path: Path, content: bytes | str, words: str) -> None:
    assert refused(tmp_path / "my.jsonl", content).startswith(words)


def test_a_column_that_was_only_guessed_refuses_nothing(tmp_path: Path) -> None:
    cells = '"id": true, "type": 3, "synonyms": ["a", "b"], "topic": "Things"'
    (tmp_path / "my.jsonl").write_text(GOOD + '{"question": "Why?", "answer": "So.", ' + cells + "}\n")
    data = read(tmp_path / "my.jsonl")
    assert [(pair.question_type, pair.synonyms, pair.topic) for pair in data.pairs[1:]] == [("unknown", (), "Things")]
    assert data.pairs[1].id not in ("", "true", "True")
    for told in (
        "1 cell of 'id' left aside: true or false, and no id (the first: row 2, column 'id')",
        "1 cell of 'type' left aside: a number, and no question type (the first: row 2, column 'type')",
        "1 cell of 'synonyms' left aside: a list, and no synonyms (the first: row 2, column 'synonyms')",
    ):
        assert told in data.filters
    with pytest.raises(InputError, match=r"row 2, column 'type': a number where text is needed; write it as text"):
        read(tmp_path / "my.jsonl", question_type="type")
    with pytest.raises(InputError, match=r"a list where text is needed; .* such as columns synonyms=synonyms\.0\."):
        read(tmp_path / "my.jsonl", synonyms="synonyms")


def test_json_as_a_list_and_as_lines(tmp_path: Path) -> None:
    rows = [{"question": "What?", "answer": "That."}, {"question": "Why?", "answer": None}]
    for name, text in (("list", json.dumps(rows, indent=1)), ("lines", "\n".join(map(json.dumps, rows)))):
        (tmp_path / f"{name}.json").write_text(text)
        data = read(tmp_path / f"{name}.json")
        assert (data.pairs_parsed, data.pairs_answered) == (2, 1)
    listed = tmp_path / "my.json"
    assert refused(listed, '[{"question": "W", "answer": "T"}, 3]').startswith(": row 2: not a JSON object")
    assert refused(listed, '[{"question": "W",\n "answer" 1}]').startswith(": row 2, column 11: torn")
    assert refused(listed, "[]") == " holds no rows; write one for each question with its answer."


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "my.parquet"
    parquet.write_table(pa.table({"q": ["What?", "Why?"], "a": ["That.", None], "n": [1, 2]}), path)
    assert [(pair.question, pair.answer) for pair in read(path).pairs] == [("What?", "That.")]
    whole = path.read_bytes()
    assert refused(path, whole[: len(whole) // 2]) == " is torn, or not a Parquet file; fetch or write it again."
    assert refused(path, "question,answer\n") == " is torn, or not a Parquet file; fetch or write it again."
    parquet.write_table(pa.table({"question": ["What?"], "answer": [7]}), path)
    assert (
        refused(path, path.read_bytes())
        == ": row 1, column 'answer': a number where text is needed; write it as text, or name another column."
    )
    broken = pa.Array.from_buffers(pa.utf8(), 2, pa.array([b"That.", b"caf\xe9"], pa.binary()).buffers())
    parquet.write_table(pa.table({"question": ["What?", "Why?"], "answer": broken}), path)
    assert refused(path, path.read_bytes()) == ": row 2, column 'answer': not UTF-8 text; write it again as UTF-8."
    parquet.write_table(pa.table({"question": ["What?"]}), path)
    assert refused(path, path.read_bytes()).startswith(": column 'answer': missing")


def test_what_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROW_LIMIT", 2)
    assert " holds more than 2 rows" in refused(tmp_path / "my.csv", "q,a\n" + "What?,That.\n" * 3)
    assert " holds more than 2 rows" in refused(tmp_path / "my.jsonl", GOOD * 3)
    parquet.write_table(pa.table({"q": ["What?"] * 3, "a": ["That."] * 3}), tmp_path / "my.parquet")
    assert " holds more than 2 rows" in refused(tmp_path / "my.parquet", (tmp_path / "my.parquet").read_bytes())
    monkeypatch.setattr(tables, "FILE_LIMIT", 10)
    assert "larger than 0 MiB" in refused(tmp_path / "my.jsonl", GOOD)


def test_what_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for name, words in (("folder.csv", "is not a file"), ("gone.csv", "No such file")):
        with pytest.raises(InputError, match=words):
            file.read(tmp_path / name)


def test_spreadsheets_of_other_countries_and_marks_of_windows(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_bytes("\ufeffQuestion;Answer\r\nWhat?;That, of course.\r\n".encode())
    (tmp_path / "my.tsv").write_text("question\tanswer\nWhat?\tThat, of course.\n")
    for name in ("my.csv", "my.tsv"):
        assert [(pair.question, pair.answer) for pair in read(tmp_path / name).pairs] == [("What?", "That, of course.")]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(file.SUFFIXES))
def test_any_bytes_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("any") / f"my{suffix}"
    path.write_bytes(b"question,answer\n" + content if suffix == ".csv" else content)
    try:
        read(path)
    except MedQAError as error:
        assert "\n" not in str(error)


CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELL.filter(str.split), CELL.filter(str.split)), min_size=1, max_size=8))
def test_every_kind_of_file_gives_the_same_pairs(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("same")
    with open(folder / "my.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("question", "answer"), *rows])
    items = [{"question": q, "answer": a} for q, a in rows]
    (folder / "my.jsonl").write_text("\n".join(json.dumps(i, ensure_ascii=False) for i in items), encoding="utf-8")
    parquet.write_table(pa.Table.from_pylist(items), folder / "my.parquet")
    try:
        found = [read(folder / f"my{suffix}").pairs for suffix in (".csv", ".jsonl", ".parquet")]
    except InputError as error:  # control characters only: nothing is left of the question
        assert (
            "empty" in str(error)
            or "none of its" in str(error)
            or "holds no question" in str(error)
            or "no column names" in str(error)
        )
        return
    assert [(p.id, p.question, p.answer) for p in found[0]] == [(p.id, p.question, p.answer) for p in found[1]]
    assert [(p.id, p.question, p.answer) for p in found[1]] == [(p.id, p.question, p.answer) for p in found[2]]
