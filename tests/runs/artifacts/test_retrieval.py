"""`retrieval.json` is read back as written; what is missing, torn or foreign reads as None."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from medqa_core.foundation.files import write_json
from medqa_core.runs.artifacts.retrieval import RETRIEVAL, Recall, Retrieval, read_retrieval
from medqa_core.runs.reading import Reading


def values(**changes: Any) -> dict[str, Any]:
    recall = {"k": 3, "hits": 1, "n": 2, "share": 0.5, "ci": [0.1, 0.9]}
    known = {"method": "BM25", "questions": 2, "passages": 5, "known_item_passages": 7}
    return known | {"known_item": [recall], "support": [recall], "support_by_chance": []} | changes


def test_as_written(tmp_path: Path) -> None:
    kept = Retrieval(**values())
    write_json(tmp_path / RETRIEVAL, kept.model_dump(mode="json"))
    assert read_retrieval(tmp_path).value == kept
    assert kept.known_item == [Recall(k=3, hits=1, n=2, share=0.5, ci=(0.1, 0.9))]


def test_fields_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    write_json(tmp_path / RETRIEVAL, values(schema_version=1, reranked=True))
    assert read_retrieval(tmp_path).value == Retrieval(**values())


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert read_retrieval(tmp_path).value is None
    assert read_retrieval(tmp_path / "gone").value is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"schema_version": 3, "method": "BM25", "questions": 1, "passages": 1, "known_item_passages": 1}',
        b'{"method": "BM25", "questions": 0, "passages": 1, "known_item_passages": 1}',
        b'{"method": "BM25", "questions": NaN, "passages": 1, "known_item_passages": 1}',
    ],
)
def test_what_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / RETRIEVAL).write_bytes(content)
    assert read_retrieval(tmp_path).value is None


def test_a_link_out_of_the_run_is_not_followed(tmp_path: Path) -> None:
    write_json(tmp_path / "elsewhere.json", values())
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / RETRIEVAL).symlink_to(tmp_path / "elsewhere.json")
    assert read_retrieval(tmp_path / "run").value is None


@pytest.mark.parametrize(
    "changes",
    [
        {"passages": -1},
        {"split_hash": "abc"},
        {"seconds_per_question": -0.1},
        {"support": [{"k": 1, "hits": 1, "n": 1, "share": 1.2, "ci": [0, 1]}]},
        {"support": [{"k": 0, "hits": 1, "n": 1, "share": 1, "ci": [0, 1]}]},
        {"support": [{"k": 1, "hits": 1, "n": 1, "share": 1, "ci": [0.5]}]},
    ],
)
def test_values_that_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Retrieval(**values(**changes))


def test_what_is_there_and_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert read_retrieval(tmp_path) == Reading(None)
    (tmp_path / RETRIEVAL).write_bytes(b"{")
    found = read_retrieval(tmp_path)
    assert found.value is None
    assert len(found.problems) == 1 and found.problems[0].startswith(f"{RETRIEVAL} is not valid JSON")
