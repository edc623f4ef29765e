"""`trials.csv`: a table of a stranger, read as text within limits."""

from pathlib import Path

import pytest

from medqa_core.foundation.errors import OutsideStore, UnreadableFile
from medqa_core.runs.artifacts.trials import Trials, read_trials


def write(folder: Path, text: str | bytes) -> Trials:
    (folder / "trials.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_trials(folder)


def test_header_and_rows_without_control_characters(tmp_path: Path) -> None:
    assert write(tmp_path, 'Recipe,Loss\n"rank 8, lr 2e-3",1.77\n\nla\u202est,\x001.8\n') == (
        ("Recipe", "Loss"),
        ("rank 8, lr 2e-3", "1.77"),
        ("last", "1.8"),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no row under its header"),
        ("Recipe,Loss\n", "no row under its header"),
        ("Recipe,Loss\nrank 8\n", "row 2: 1 cells under a header of 2"),
        ("a\n" + "b\n" * 101, "more than 100 rows"),
        (",".join("a" * 13) + "\n" + ",".join("b" * 13), "12 columns"),
        ("a\n" + "b" * 200_000 + "\n", "not valid CSV"),
        ("a\n" + "b" * 2**20 + "\n", "larger than 1 MiB"),
        (b"a\n\xff\n", "not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, text: bytes | str, said: str) -> None:
    with pytest.raises(UnreadableFile, match=said) as caught:
        write(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_absent_and_outside(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="missing"):
        read_trials(tmp_path)
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "secret").write_text("a\nb\n")
    (folder / "trials.csv").symlink_to(tmp_path / "secret")
    with pytest.raises(OutsideStore):
        read_trials(folder)
