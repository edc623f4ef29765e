"""What was measured before an interruption counts; what is torn or of something else does not."""

from pathlib import Path

import pytest

from medqa_core.evaluation.partial import Partial

WEIGHTS = {"base": "ab", "tokens": 8}


def kept(path: Path) -> list[dict[str, object]]:
    return Partial(path, WEIGHTS).rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "new" / ".evaluation.jsonl"
    with Partial(found, WEIGHTS) as partial:
        partial.add([{"n": 1}, {"n": 2}])
        partial.add([{"n": 3}])
    return found


def test_rows_are_read_again_and_more_are_added(path: Path) -> None:
    assert kept(path) == [{"n": 1}, {"n": 2}, {"n": 3}]
    with Partial(path, WEIGHTS) as partial:
        partial.add([{"n": 4}])
    assert kept(path) == [{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}]


def test_a_row_cut_anywhere_is_dropped_and_the_others_count(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        rows = kept(path)
        assert rows == [{"n": n + 1} for n in range(len(rows))]
        assert len(rows) == max(0, whole[:length].count(b"\n") - 1)
        with Partial(path, WEIGHTS) as partial:  # and the file is whole again
            partial.add([{"n": len(rows) + 1}])
        assert len(kept(path)) == len(rows) + 1


def test_another_fingerprint_starts_anew(path: Path) -> None:
    assert Partial(path, {**WEIGHTS, "tokens": 9}).rows == []


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\n", b"[1]\n", b'{"base": "ab", "tokens": 8}\n{"x": NaN}\n'])
def test_damage_is_no_result(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert kept(path) == []


def test_no_file_and_a_discarded_one(path: Path) -> None:
    Partial(path, WEIGHTS).discard()
    assert not path.exists()
    assert kept(path) == []
