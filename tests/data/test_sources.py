"""A data set by its name, or one line that says what to do."""

import gzip
import os
from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.data import sources
from medqa_core.foundation.errors import DataUnavailable, InputError, UnknownName
from medqa_core.foundation.settings import Settings
from tests.support.qa_pairs import DOCUMENTS, as_folder, as_zip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(reports=tmp_path / "reports", cache=tmp_path / "cache", medquad=None, mmlu=None, public=False)


def test_the_starter_set_needs_nothing(settings: Settings) -> None:
    assert sources.load("starter", settings) is sources.load("starter", settings)


def test_an_unknown_name_says_which_there_are(settings: Settings) -> None:
    with pytest.raises(UnknownName, match=r"dataset: 'medquard' is not known; .* Did you mean 'medquad'\?"):
        sources.load("medquard", settings)


def test_medquad_out_of_reach_says_what_to_set(settings: Settings) -> None:
    with pytest.raises(DataUnavailable, match=r"set MEDQA_MEDQUAD to MedQuAD's ZIP .*, or use the starter set"):
        sources.load("medquad", settings, fetch=False)
    gone = replace(settings, medquad=settings.cache / "gone.zip")
    with pytest.raises(DataUnavailable, match=r"MEDQA_MEDQUAD names .*gone\.zip, which does not exist"):
        sources.load("medquad", gone)


def test_medquad_is_read_again_when_its_file_changes(settings: Settings, tmp_path: Path) -> None:
    there = replace(settings, medquad=as_zip(tmp_path / "MedQuAD.zip"))
    first = sources.load("medquad", there)
    assert sources.load("medquad", there) is first
    as_zip(tmp_path / "MedQuAD.zip", {"1_Made_QA/0000001.xml": DOCUMENTS["1_Made_QA/0000001.xml"]})
    os.utime(tmp_path / "MedQuAD.zip", ns=(1, 1))
    assert len(sources.load("medquad", there).pairs) == 2


def test_a_folder_does_as_well(settings: Settings, tmp_path: Path) -> None:
    there = replace(settings, medquad=as_folder(tmp_path / "MedQuAD"))
    assert len(sources.load("medquad", there).pairs) == 3


def test_a_path_to_medquad_or_to_a_table(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "tables" / "data").mkdir(parents=True)
    for number in (1, 2):
        (tmp_path / "tables" / "data" / f"train-{number}.csv").write_text(f"q,a\nWhat {number}?,That.\n")
    (tmp_path / "tables" / "dataset_info.json").write_text("{}")
    for path, count in (
        (as_zip(tmp_path / "MedQuAD.zip"), 3),
        (as_folder(tmp_path / "MedQuAD"), 3),
        (tmp_path / "tables", 2),
        (tmp_path / "tables" / "data" / "train-1.csv", 1),
    ):
        data = sources.load(str(path), settings)
        assert len(data.pairs) == count
        assert sources.load(str(path), settings) is data
    assert len(sources.load("medquad", replace(settings, medquad=tmp_path / "tables")).pairs) == 2


def test_the_tables_of_a_folder_are_found_whatever_the_case_of_their_names(settings: Settings, tmp_path: Path) -> None:
    table = b"question\tanswer\nWhat?\tThat.\n"
    for name, content, count in (
        ("a.tsv.gz", gzip.compress(table), 1),
        ("B.TSV", table.replace(b"What", b"Why"), 1),
        ("c/TRAIN.CSV", table.replace(b"\t", b","), 1),
        ("c/more.csv", b"question,answer\nHow?,So.\n", 2),
        ("._d.parquet", b"no table", 2),
    ):
        (tmp_path / "my" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "my" / name).write_bytes(content)
        assert len(sources.load(str(tmp_path / "my"), settings).pairs) == count
    assert [path.name for path in sources.shards(tmp_path / "my")] == ["TRAIN.CSV", "more.csv"]


def test_a_table_is_read_again_when_it_or_the_mapping_changes(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text("q,a,b\nWhat?,That.,This.\n")
    assert sources.load(str(path), settings).pairs[0].answer == "That."
    assert sources.load(str(path), settings, {"answer": "b"}).pairs[0].answer == "This."
    path.write_text("q,a,b\nWhat?,Those.,This.\n")
    os.utime(path, ns=(1, 1))
    assert sources.load(str(path), settings).pairs[0].answer == "Those."


def test_a_link_that_leads_nowhere_stops_a_folder_only_where_it_should_be_a_table(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "my"
    folder.mkdir()
    (folder / "train.csv").write_text("question,answer\nWhat?,That.\n")
    (folder / ".#train.csv").symlink_to("me@here.1:2")
    (folder / "latest").symlink_to("gone")
    assert len(sources.load(str(folder), settings).pairs) == 1
    assert sources.fingerprint(str(folder), {}, settings) is not None
    (folder / "more.csv").symlink_to("gone.csv")
    with pytest.raises(InputError, match=r"^dataset: my cannot be read: No such file"):
        sources.load(str(folder), settings)
    with pytest.raises(InputError, match=r"^the data cannot be read: No such file"):
        sources.fingerprint(str(folder), {}, settings)


def test_a_table_one_folder_below_is_read_again_when_it_changes(settings: Settings, tmp_path: Path) -> None:
    shard = tmp_path / "clone" / "data" / "train.csv"
    shard.parent.mkdir(parents=True)
    shard.write_text("question,answer\nWhat?,That.\n")
    first = sources.load(str(tmp_path / "clone"), settings)
    assert first is sources.load(str(tmp_path / "clone"), settings)
    shard.write_text("question,answer\nWhat?,Something else.\n")
    assert sources.load(str(tmp_path / "clone"), settings).pairs[0].answer == "Something else."


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone.csv", "does not exist"),
        ("./gone", "does not exist"),
        ("a/b/c", "does not exist"),
        ("MedQuAD/gone.zip", "does not exist"),
        ("", "empty or holds control characters"),
        ("a\x00b", "not a usable path|control characters"),
        ("x" * 5000, "not a usable path"),
        ("~no-such-user/x", "not a usable path"),
    ],
)
def test_names_that_lead_nowhere(name: str, words: str, settings: Settings) -> None:
    with pytest.raises(InputError, match=words) as caught:
        sources.load(name, settings)
    assert len(str(caught.value)) < 300


def test_a_mapping_only_where_there_are_columns(settings: Settings, tmp_path: Path) -> None:
    for name in ("starter", str(as_zip(tmp_path / "MedQuAD.zip"))):
        with pytest.raises(InputError, match=r"has no columns to map"):
            sources.load(name, settings, {"question": "q"})


def test_what_is_neither_table_nor_medquad(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("q,a")
    with pytest.raises(InputError, match=r"notes\.txt: a data file's name ends in one of \.csv"):
        sources.load(str(tmp_path / "notes.txt"), settings)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataUnavailable, match="no answered question in empty"):
        sources.load(str(tmp_path / "empty"), settings)


def test_a_folder_of_other_files_says_what_it_holds_and_what_helps(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "my"
    (folder / "data").mkdir(parents=True)
    (folder / ".hidden").write_text("x")
    (folder / "data" / "train.json").write_text('[{"question": "What?", "answer": "That."}]')
    for name in ("LICENSE", "README.md"):
        (folder / name).write_text("x")
    mappings: tuple[dict[str, str], ...] = ({}, {"question": "question"})
    for columns in mappings:
        with pytest.raises(InputError) as caught:
            sources.load(str(folder), settings, columns)
        assert str(caught.value) == (
            "dataset: my holds LICENSE, README.md, data/train.json, and a folder is read of Parquet, JSON lines, CSV "
            "or TSV files, or of MedQuAD's XML; name a file itself, such as my/data/train.json."
        )
    assert len(sources.load(str(folder / "data" / "train.json"), settings).pairs) == 1
    (folder / "data" / "train.json").unlink()
    for number in range(4):
        (folder / f"train{number}.txt").write_text("x")
    with pytest.raises(
        InputError, match=r"my holds LICENSE, .*, train2\.txt and 1 more, and .* or of MedQuAD's XML\.$"
    ):
        sources.load(str(folder), settings)


def test_a_fingerprint_changes_with_the_files_and_with_what_is_read_of_them(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "my.csv"
    file.write_text("question,answer\nWhat?,That.\n", encoding="utf-8")
    first = sources.fingerprint(str(file), {}, settings)
    assert (
        first == sources.fingerprint(str(file), {}, settings) != sources.fingerprint(str(file), {"id": "n"}, settings)
    )
    file.write_text("question,answer\nWhat?,Something else.\n", encoding="utf-8")
    assert sources.fingerprint(str(file), {}, settings) != first
    folder = as_folder(tmp_path / "MedQuAD")
    there = replace(settings, medquad=folder)
    before = sources.fingerprint("medquad", {}, there)
    inside = next(folder.glob("*/*.xml"))
    inside.write_text(inside.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert None is not before != sources.fingerprint("medquad", {}, there)
    for name in ("starter", "medquad", "owner/name", "gone.csv"):
        assert sources.fingerprint(name, {}, settings) is None
