"""MedQuAD is read as it was published, from its ZIP or its folder; what is not MedQuAD is refused in one line."""

import zipfile
from itertools import combinations
from pathlib import Path

import pytest

from medqa_core.data import medquad
from medqa_core.data.pairs import PairSet, QAPair, normalise
from medqa_core.data.split import grouped_split
from medqa_core.foundation.errors import DataUnavailable
from medqa_core.foundation.settings import Settings
from tests.support.qa_pairs import ASTHMA, DOCUMENTS, GOUT, as_folder, as_zip


@pytest.fixture(params=["folder", "zip"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> PairSet:
    if request.param == "folder":
        return medquad.load(as_folder(tmp_path / "MedQuAD"))
    return medquad.load(as_zip(tmp_path / "MedQuAD.zip"))


def test_every_answered_pair_as_it_is(data: PairSet) -> None:
    assert data.pairs == (
        QAPair(
            id="Made:0000001-1",
            document="Made:0000001",
            topic="Gout",
            question_type="information",
            question="What is Gout?",
            answer="Gout is a kind of arthritis. It comes in attacks.",
            source="Made",
            url="https://example.org/gout",
            layout="Gout is a kind of arthritis.\nIt comes in attacks.",
        ),
        QAPair("Made:0000001-3", "Made:0000001", "Gout", "unknown", "Who gets gout?", "Mostly men over forty.", "Made",
             "https://example.org/gout"),
        QAPair(
            id="Made:0000001-1~2",  # the same question id in a second document
            document="Made:0000002",
            topic="Asthma",
            question_type="information",
            question="What is Asthma?",
            answer="Asthma narrows the airways & makes breathing hard.",
            source="Made",
        ),
    )  # fmt: skip


def test_it_counts_what_it_left_out(data: PairSet) -> None:
    assert data.pairs_parsed == 5
    assert data.pairs_answered == 4
    assert data.duplicates_dropped == 1
    assert data.licence == "CC BY 4.0"
    assert data.filters


def one_line(path: Path) -> str:
    with pytest.raises(DataUnavailable) as caught:
        medquad.load(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("MedQuAD: ")
    return text


def test_broken_xml_is_named(tmp_path: Path) -> None:
    documents = {**DOCUMENTS, "1_Made_QA/0000003.xml": GOUT[: len(GOUT) // 2]}
    assert "0000003.xml is not valid XML" in one_line(as_folder(tmp_path / "folder", documents))
    assert "0000003.xml is not valid XML" in one_line(as_zip(tmp_path / "file.zip", documents))


def test_an_encoding_that_is_none_is_broken_xml(tmp_path: Path) -> None:
    documents = {"1_Made_QA/0000001.xml": GOUT.replace("UTF-8", "no-such-code")}
    assert "0000001.xml is not valid XML" in one_line(as_folder(tmp_path / "folder", documents))


def test_entities_do_not_blow_up(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    text = GOUT.replace("<Document", f"{bomb}]><Document").replace("Mostly men", "&i;")
    assert "is not valid XML" in one_line(as_folder(tmp_path / "folder", {"1_Made_QA/0000001.xml": text}))


def test_an_empty_zip_and_folder(tmp_path: Path) -> None:
    assert "no answered question in empty.zip" in one_line(as_zip(tmp_path / "empty.zip", {}))
    (tmp_path / "empty").mkdir()
    assert "no answered question in empty" in one_line(tmp_path / "empty")


def test_no_zip_at_all(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("<html>404</html>")
    (tmp_path / "nothing.zip").touch()
    for name in ("text.zip", "nothing.zip", "missing.zip"):
        assert "is not a readable ZIP or folder" in one_line(tmp_path / name)


def test_a_damaged_zip(tmp_path: Path) -> None:
    good = as_zip(tmp_path / "good.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(good[: len(good) // 2])
    at = good.index(b"0000002.xml") + len("0000002.xml") + 20  # inside the first member's compressed data
    (tmp_path / "flipped.zip").write_bytes(good[:at] + b"\xff" * 8 + good[at + 8 :])
    encrypted = bytearray(good)
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = encrypted.find(sign)
        while place >= 0:
            encrypted[place + offset] |= 1
            place = encrypted.find(sign, place + 1)
    (tmp_path / "encrypted.zip").write_bytes(bytes(encrypted))
    for name in ("cut.zip", "flipped.zip", "encrypted.zip"):
        assert "is not a readable ZIP or folder" in one_line(tmp_path / name)


def test_a_mac_s_hidden_twins_and_oversized_files_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(medquad, "FILE_LIMIT", 4096)
    documents = {**DOCUMENTS, "__MACOSX/._0000001.xml": "\0\5\26\7", "1_Made_QA/9.xml": ASTHMA + " " * 4096}
    for path in (as_folder(tmp_path / "folder", documents), as_zip(tmp_path / "file.zip", documents)):
        assert medquad.load(path).pairs_parsed == 5
    (tmp_path / "folder" / "folder.xml").mkdir()
    assert medquad.load(tmp_path / "folder").pairs_parsed == 5


@pytest.mark.real
def test_the_real_one(tmp_path: Path) -> None:
    path = Settings.from_environment().medquad
    if path is None or not path.exists():
        pytest.skip("MedQuAD is not in reach: set MEDQA_MEDQUAD to its ZIP or folder")
    data = medquad.load(path)
    assert data.pairs_parsed == 47_441
    assert data.pairs_answered == 16_407
    assert len({pair.id for pair in data.pairs}) == len(data.pairs)
    assert len({pair.source for pair in data.pairs}) == 9
    split = grouped_split(data.pairs, (3500, 750, 750), 42)
    parts = (split.train, split.validation, split.test)
    assert tuple(map(len, parts)) == (3500, 750, 750)
    for field in ("document", "topic", "question", "answer"):
        values = [{normalise(getattr(pair, field)) for pair in part} - {""} for part in parts]
        assert [len(one & other) for one, other in combinations(values, 2)] == [0, 0, 0], field
    if path.is_file():
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path)
        assert medquad.load(tmp_path).pairs == data.pairs
