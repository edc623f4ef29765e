"""What is sent from a page is kept by its content alone, and shown as what it becomes before anything is trained."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.data import upload
from medqa_core.data.preview import FileColumns, columns_of, preview
from medqa_core.data.readers import file
from medqa_core.data.tables import Table
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings

TABLE = "Frage;Antwort;Thema\n" + "".join(f"Was ist {n}?;Das ist {n}.;T{n // 2}\n" for n in range(30)) + "Was?;nan;x\n"


@pytest.fixture
def lab(tmp_path: Path) -> Settings:
    return Settings(reports=tmp_path / "reports", cache=tmp_path / "cache", medquad=None, mmlu=None, public=False)


@pytest.mark.parametrize("name", ["../../etc/passwd.csv", "C:\\my data.CSV", "x.csv", "a\x00b.csv", "ü" * 400 + ".csv"])
def test_a_file_is_kept_by_its_content(lab: Settings, name: str) -> None:
    kept = upload.keep(name, TABLE.encode(), lab)
    assert kept.parent == lab.cache / "uploads" and kept.suffix == ".csv"
    assert kept.read_bytes() == TABLE.encode()
    assert len(kept.stem) == 24 and int(kept.stem, 16)
    assert upload.keep("other.csv", TABLE.encode(), lab) == kept
    kept.write_bytes(b"torn")
    assert upload.keep("other.csv", TABLE.encode(), lab).read_bytes() == TABLE.encode()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("my.exe", b"x", r"'my\.exe' is no data file; its name ends in one of \.csv"),
        ("my.csv", b"", r"'my\.csv' is empty"),
        ("my.csv", b"x" * 2000, r"'my\.csv' is larger than 0 MiB; give its path instead"),
    ],
)
def test_what_is_not_taken(
    lab: Settings, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, words: str
) -> None:
    monkeypatch.setattr(upload, "LIMIT", 1000)
    with pytest.raises(InputError, match=words):
        upload.keep(name, content, lab)
    assert not (lab.cache / "uploads").exists()


def test_a_full_disk_leaves_nothing(lab: Settings) -> None:
    lab.cache.write_bytes(b"")  # no folder can be made there
    with pytest.raises(InputError, match=r"cannot be kept in .*; free some space or set MEDQA_CACHE"):
        upload.keep("my.csv", b"x", lab)


def test_visitors_of_a_demo_can_do_neither(lab: Settings) -> None:
    public = replace(lab, public=True)
    with pytest.raises(InputError, match="nothing can be uploaded"):
        upload.keep("my.csv", TABLE.encode(), public)
    with pytest.raises(InputError, match="it reads no data of its visitors"):
        preview("/etc/passwd", {}, public)
    with pytest.raises(InputError, match="it reads no data of its visitors"):
        columns_of("/etc/passwd", public)
    assert not lab.cache.exists()


def test_a_preview_says_what_the_data_become(lab: Settings) -> None:
    name = str(upload.keep("my.csv", TABLE.encode(), lab))
    found = preview(name, {}, lab)
    assert found.data is None and columns_of(name, lab) == FileColumns(("Frage", "Antwort", "Thema"), {})
    assert "column 'question': missing" in found.problem and found.sizes is None
    mapping = {"question": "Frage", "answer": "Antwort", "topic": "Thema"}
    found = preview(name, mapping, lab)
    assert found.problem == "" and found.data is not None
    assert "columns read: answer = Antwort, question = Frage, topic = Thema" in found.data.filters
    assert found.data is not None and (found.data.pairs_parsed, len(found.data.pairs)) == (31, 30)
    assert found.sizes is not None and sum(found.sizes.model_dump().values()) == 30
    assert found.changes == {"title": f"Fine-tune on {Path(name).name}", "description": ""} | {
        "dataset": name, "test_dataset": None, "columns": mapping,
        "train_size": None, "validation_size": None, "test_size": None,
    }  # fmt: skip


def test_a_preview_of_tiny_data_brings_the_proposal(lab: Settings) -> None:
    rows = "question,answer,topic\n" + "".join(f"What {n}?,That {n}.,one\n" for n in range(5))
    found = preview(str(upload.keep("my.csv", rows.encode(), lab)), {}, lab)
    assert "too small to split without leakage" in found.problem
    assert found.changes["split_method"] == "random" and found.changes["validation_size"] == 1
    assert found.sizes is not None and found.sizes.train == 3
    two = "question,answer\nWhat?,That.\nWhy?,So.\n"
    found = preview(str(upload.keep("my.csv", two.encode(), lab)), {}, lab)
    assert found.data is not None and found.sizes is None and "Add pairs" in found.problem


def test_a_preview_with_a_test_file_has_its_checks(lab: Settings) -> None:
    name = str(upload.keep("my.csv", TABLE.encode(), lab))
    mapping = {"question": "Frage", "answer": "Antwort", "topic": "Thema"}
    test = str(upload.keep("test.csv", b"Frage;Antwort;Thema\nWarum?;Darum.;x\n", lab))
    found = preview(name, mapping, lab, test=test)
    assert found.problem == "" and found.sizes is not None and found.sizes.test == 1
    assert found.changes["test_dataset"] == test and "1 pair of" in " ".join(found.data.filters if found.data else ())
    wrong = str(upload.keep("test.csv", b"Frage,Antwort\nWarum?\n", lab))
    assert preview(name, mapping, lab, test=wrong).problem.startswith(f"test_dataset: {Path(wrong).name}: row 1")
    assert preview(name, mapping, lab, test="gone.csv").problem.startswith("test_dataset: 'gone.csv' does not exist")


def test_nested_columns_can_be_chosen(lab: Settings, tmp_path: Path) -> None:
    talk = [{"said": "Was ist {}?"}, {"said": "Das ist {}."}]
    rows = [{"id": n, "talk": [{"said": one["said"].format(n)} for one in talk]} for n in range(30)]
    (tmp_path / "talks.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "talks.json").write_text(json.dumps(rows))
    for name in ("talks.jsonl", "talks.json"):
        assert columns_of(str(tmp_path / name), lab).names == ("id", "talk", "talk.0.said", "talk.1.said")
    found = preview(str(tmp_path / "talks.jsonl"), {"question": "talk.0.said", "answer": "talk.1.said"}, lab)
    assert found.problem == "" and found.data is not None and found.data.pairs[0].question == "Was ist 0?"


def test_a_preview_of_what_is_no_file(lab: Settings) -> None:
    found = preview("starter", {}, lab, title="C:\\my\x1b data.csv")
    assert found.changes["title"] == "Fine-tune on my data.csv"
    assert columns_of("starter", lab) == FileColumns() and found.sizes is not None and found.sizes.train == 449
    assert "is not known" in preview("no such set", {}, lab).problem


def test_the_columns_of_a_file_are_read_once(lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "my.jsonl"
    path.write_text('{"q": "What?", "response": "That.", "n": "1"}\n')
    read, reads = file.read, list[Path]()

    def counted(one: Path) -> Table:
        reads.append(one)
        return read(one)

    monkeypatch.setattr(file, "read", counted)
    for _ in range(2):
        assert columns_of(str(path), lab) == FileColumns(
            ("q", "response", "n"), {"question": "q", "answer": "response"}
        )
    assert reads == [path]
    path.write_text('{"question": "What?", "answer": "That."}\n')
    assert columns_of(str(path), lab).names == ("question", "answer")
    for name in ("~no-such-user/my.csv", "x" * 5000, str(tmp_path), "owner/name"):
        assert columns_of(name, lab) == FileColumns()
    assert "not a usable path" in preview("~no-such-user/my.csv", {}, lab).problem
