"""A file that only grows: whole lines, whatever the disk does and whatever a kill left."""

import os
from pathlib import Path

import pytest

from medqa_core.foundation.lines import append, left_out, open_to_append, read_lines


def add(path: Path, *lines: str) -> None:
    descriptor = open_to_append(path)
    for line in lines:
        append(descriptor, line)
    os.close(descriptor)


@pytest.mark.parametrize(
    ("before", "after"), [(b"", b"new\n"), (b"one\n", b"one\nnew\n"), (b"one\ntor", b"one\ntor\nnew\n")]
)
def test_a_torn_last_line_is_ended(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = tmp_path / "rows"
    path.write_bytes(before)
    add(path, "new\n")
    assert path.read_bytes() == after


def test_a_line_that_the_disk_takes_in_pieces_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:3]))
    add(tmp_path / "rows", "ä long line\n", "another\n")
    assert (tmp_path / "rows").read_text("utf-8") == "ä long line\nanother\n"


def test_a_line_that_the_disk_refuses_is_not_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(descriptor: int, content: bytes) -> int:
        write(descriptor, content[:3])
        raise OSError(28, "No space left on device")

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    path, write = tmp_path / "rows", os.write
    add(path, "kept\n")
    for name, fail in (("write", half), ("fsync", broken)):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(OSError, match=r"No space|Input/output"):
                add(path, "refused\n")
        assert path.read_bytes() == b"kept\n", name


def test_the_end_of_a_long_file_is_read_from_a_whole_line_on(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"first\n\xff\nthird\n")
    assert read_lines(path, 100) == (["first", "\ufffd", "third", ""], [])
    assert read_lines(path, 7) == (["third", ""], ["rows is 0 MiB; its last 0 were read."])


def test_what_was_left_out_is_said_in_one_line() -> None:
    assert left_out("rows", 0) == []
    assert left_out("rows", 1) == ["rows: 1 line could not be read and was left out."]
    assert left_out("rows", 2) == ["rows: 2 lines could not be read and were left out."]
