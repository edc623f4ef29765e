"""A reader sees the old file or the new one; JSON is strict; what cannot be read says so in one line."""

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medqa_core.foundation import files
from medqa_core.foundation.errors import UnreadableFile
from tests.support.git_lfs import POINTER


def _fail(*_: object) -> None:
    raise OSError(28, "No space left on device")


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_a_failed_write_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "run.json"
    files.write_json(path, {"old": True})
    monkeypatch.setattr(os, step, _fail)
    with pytest.raises(OSError, match="No space"):
        files.write_json(path, {"new": True})
    monkeypatch.undo()
    assert files.read_json(path) == {"old": True}
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_an_interrupt_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_text(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_value_that_is_not_json_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, 1)
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(path, {"loss": float("nan")})
    assert files.read_json(path) == 1


def test_folders_are_made_on_the_way(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a" / "b" / "c.txt", "x")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "x"


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "adapter"
    files.write_folder(path, lambda folder: (folder / "one").write_text("1"))
    files.write_folder(path, lambda folder: (folder / "two").write_text("2"))
    assert [p.name for p in path.iterdir()] == ["two"]
    assert [p.name for p in tmp_path.iterdir()] == ["adapter"]


def test_a_folder_that_could_not_be_filled_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "adapter"
    files.write_folder(path, lambda folder: (folder / "one").write_text("1"))
    with pytest.raises(OSError, match="No space"):
        files.write_folder(path, _fail)
    assert [p.name for p in path.iterdir()] == ["one"]
    assert [p.name for p in tmp_path.iterdir()] == ["adapter"]


def test_a_folder_that_could_not_be_moved_in_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "adapter"
    files.write_folder(path, lambda folder: (folder / "one").write_text("1"))
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda a, b: _fail() if str(a).endswith(".tmp") else rename(a, b))
    with pytest.raises(OSError, match="No space"):
        files.write_folder(path, lambda folder: (folder / "two").write_text("2"))
    monkeypatch.undo()
    assert [p.name for p in path.iterdir()] == ["one"]


def test_a_folder_goes_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    for name in "123":
        (tmp_path / "a" / name).write_text(name)
    monkeypatch.setattr(os, "unlink", _killed)
    with pytest.raises(KeyboardInterrupt):
        files.remove_folder(tmp_path / "a")
    monkeypatch.undo()
    assert not (tmp_path / "a").exists()
    files.recover(tmp_path)
    assert list(tmp_path.iterdir()) == []
    files.remove_folder(tmp_path / "a")  # absent


@pytest.mark.parametrize("replaced", [False, True])
def test_what_a_kill_broke_off_is_brought_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    path = tmp_path / "adapter"
    files.write_folder(path, lambda folder: (folder / "one").write_text("1"))
    (tmp_path / ".status.json.tmp").write_text("no folder")
    rename, calls = os.rename, []

    def dies(a: Path, b: Path) -> None:
        calls.append(a)
        if len(calls) > replaced + 1:
            _killed()
        rename(a, b)

    monkeypatch.setattr(os, "rename", dies)
    monkeypatch.setattr(shutil, "rmtree", _killed)
    with pytest.raises(KeyboardInterrupt):
        files.write_folder(path, lambda folder: (folder / "two").write_text("2"))
    monkeypatch.undo()
    assert path.exists() is replaced
    files.recover(tmp_path)
    assert [p.name for p in path.iterdir()] == ["two" if replaced else "one"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [".status.json.tmp", "adapter"]


def test_where_there_is_nothing_nothing_is_recovered(tmp_path: Path) -> None:
    files.recover(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_what_was_moved_aside_and_cannot_be_moved_back_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "adapter"
    files.write_folder(path, lambda folder: (folder / "one").write_text("1"))
    rename = os.rename
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", lambda a, b: rename(a, b) if str(a).endswith("adapter") else _fail())
        with pytest.raises(OSError, match="No space"):
            files.write_folder(path, lambda folder: (folder / "two").write_text("2"))
    files.recover(tmp_path)
    assert [p.name for p in path.iterdir()] == ["one"]
    assert [p.name for p in tmp_path.iterdir()] == ["adapter"]


def test_a_folder_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, os.rename

    def synced(descriptor: int) -> None:
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def renamed(source: Path, target: Path) -> None:
        done.append("rename")
        rename(source, target)

    def fill(folder: Path) -> None:
        (folder / "inner").mkdir()
        (folder / "inner" / "weights").write_text("1")

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    files.write_folder(tmp_path / "adapter", fill)
    assert {"weights", "inner"} <= set(done[: done.index("rename")])
    assert done[-1] == tmp_path.name


def test_a_library_s_own_exception_for_a_full_disk_is_the_system_s(tmp_path: Path) -> None:
    def fill(_: Path) -> None:
        raise RuntimeError("I/O error: No space left on device (os error 28)")

    with pytest.raises(OSError, match="No space left") as caught:
        files.write_folder(tmp_path / "adapter", fill)
    assert caught.value.errno == 28


@pytest.mark.parametrize("text", ["NaN", "[1, Infinity]", '{"a": -Infinity}', "1e999", "[-1e400]"])
def test_numbers_that_json_does_not_have_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not JSON|out of range"):
        files.loads(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "[" * 5000 + "]" * 5000])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        files.loads(text)


@pytest.mark.parametrize("text", ['"\\ud800"', '{"\\uDFFF": 1}', '["a\\ud83d"]'])
def test_half_a_surrogate_pair_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="surrogate pair"):
        files.loads(text)


def test_a_whole_surrogate_pair_is_text() -> None:
    assert files.loads('"\\ud83d\\ude00"') == "\U0001f600"


def test_an_endless_number_is_refused() -> None:
    with pytest.raises(ValueError):
        files.loads("1" * 5000)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(json_values)
def test_what_is_written_is_read_back(value: object) -> None:
    assert files.loads(files.dumps(value)) == value
    assert json.loads(files.dumps(value, indent=2)) == value


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b'{"a": 1', "not valid JSON"),
        (b"<!doctype html><html></html>", "not valid JSON"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "not valid JSON"),
    ],
)
def test_a_file_that_is_not_json_says_why(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=said) as caught:
        files.read_json(path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_byte_order_mark_before_json_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"r": 8}', encoding="utf-8-sig")
    assert files.read_json(tmp_path / "adapter_config.json") == {"r": 8}


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, said in (("pipe", "not a file"), ("folder", "not a file"), ("absent", "missing"), ("loop", "missing")):
        with pytest.raises(UnreadableFile, match=said):
            files.read_text(tmp_path / name)


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    with open(path, "wb") as file:
        file.truncate(2**30)
    with pytest.raises(UnreadableFile, match="larger than 16 MiB"):
        files.read_json(path)


@pytest.mark.parametrize(("content", "is_one"), [(POINTER, True), (b"", False), (b"version 1", False)])
def test_pointers_of_git_lfs(tmp_path: Path, content: bytes, is_one: bool) -> None:
    (tmp_path / "a").write_bytes(content)
    assert files.is_lfs_pointer(tmp_path / "a") is is_one


def test_checksums(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256(path) == files.sha256_text("abc") == expected
    assert len(files.sha256_text("\ud800")) == 64
