"""A run folder and its copy: what was written is there, whole, on both sides, and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from medqa_core.cluster.mirror import Mirror
from medqa_core.foundation.errors import OutsideStore

QAPair = tuple[Mirror, Mirror, Path, Path]


@pytest.fixture(params=["memory", "file"])
def far(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Any, str]]:
    """A file system and a run's path in it."""
    fs = fsspec.filesystem(request.param)
    root = f"/{tmp_path.name}" if request.param == "memory" else str(tmp_path / "far")
    yield fs, f"{root}/run"
    if fs.exists(root):
        fs.rm(root, recursive=True)


@pytest.fixture
def sides(far: tuple[Any, str], tmp_path: Path) -> QAPair:
    """The writer's mirror, the reader's, and their folders."""
    writer, reader = tmp_path / "writer", tmp_path / "reader"
    writer.mkdir()
    return Mirror(*far, writer), Mirror(*far, reader), writer, reader


def put(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def content(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_what_is_written_here_is_read_there(sides: QAPair) -> None:
    ours, theirs, writer, reader = sides
    put(writer, "run.json", "{}")
    put(writer, "adapter/adapter_model.safetensors", "weights")
    assert (ours.push(), theirs.pull()) == (2, 2)
    assert content(reader) == content(writer)
    put(writer, "metrics.jsonl", "1\n")
    put(writer, "run.json", '{"a": 1}')
    assert (ours.push(), theirs.pull()) == (2, 2)
    assert content(reader) == content(writer)
    assert (ours.push(), theirs.pull()) == (0, 0)


def test_checkpoints_that_were_removed_go_on_both_sides(sides: QAPair, far: tuple[Any, str]) -> None:
    ours, theirs, writer, reader = sides
    put(writer, "checkpoints/step-00000001/state.json", "1")
    put(writer, "checkpoints/step-00000002/state.json", "2")
    ours.push()
    theirs.pull()
    put(reader, "votes.jsonl", "the reader's own")
    (writer / "checkpoints/step-00000001/state.json").unlink()
    ours.push()
    theirs.pull()
    assert content(reader) == {"checkpoints/step-00000002/state.json": "2", "votes.jsonl": "the reader's own"}
    assert not (reader / "checkpoints/step-00000001").exists()
    assert not far[0].exists(f"{far[1]}/checkpoints/step-00000001")
    (writer / "checkpoints/step-00000002/state.json").unlink()
    ours.push()
    theirs.pull()
    assert not (reader / "checkpoints").exists() and not far[0].exists(f"{far[1]}/checkpoints")


def test_what_is_being_written_stays_out(sides: QAPair) -> None:
    ours, theirs, writer, reader = sides
    put(writer, ".run.json.1.tmp", "half")
    put(writer, "checkpoints/.step-00000001.1.tmp/state.json", "half")
    put(writer, "stop.request", "")
    (writer / "link").symlink_to("/etc/hostname")
    assert ours.push() == 0
    assert theirs.pull() == 0
    assert not reader.exists()


def test_an_upload_that_breaks_leaves_the_old_file_whole(tmp_path: Path) -> None:
    class Breaks(LocalFileSystem):  # type: ignore[misc]
        def put_file(self, path1: str, path2: str, *_: Any, **__: Any) -> None:
            Path(path2).write_text("hal")
            raise OSError("the line is down")

    far, writer = tmp_path / "far", tmp_path / "writer"
    put(writer, "run.json", "old")
    Mirror(LocalFileSystem(), str(far), writer).push()
    put(writer, "run.json", "a new one")
    mirror = Mirror(Breaks(), str(far), writer)
    with pytest.raises(OSError, match="the line is down"):
        mirror.push()
    assert (far / "run.json").read_text() == "old"
    reader = tmp_path / "reader"
    Mirror(LocalFileSystem(), str(far), reader).pull()
    assert content(reader) == {"run.json": "old"}


def test_the_status_and_the_manifests_come_last(tmp_path: Path) -> None:
    put_order: list[str] = []

    class Listening(LocalFileSystem):  # type: ignore[misc]
        def mv(self, path1: str, path2: str, *_: Any, **__: Any) -> None:
            put_order.append(Path(path2).name)
            super().mv(path1, path2)

    writer = tmp_path / "writer"
    for name in ("status.json", "checkpoints/s/manifest.json", "checkpoints/s/weights.safetensors", "train.log"):
        put(writer, name, "x")
    Mirror(Listening(), str(tmp_path / "far"), writer).push()
    assert put_order == ["weights.safetensors", "train.log", "manifest.json", "status.json"]


def test_a_name_that_leads_out_is_refused(tmp_path: Path) -> None:
    class Hostile(LocalFileSystem):  # type: ignore[misc]
        def find(self, *_: Any, **__: Any) -> dict[str, Any]:
            return {f"{tmp_path}/far/../../evil": {"size": 1}, f"{tmp_path}/far/link/evil": {"size": 1}}

    reader, outside = tmp_path / "reader", tmp_path / "outside"
    reader.mkdir()
    outside.mkdir()
    (reader / "link").symlink_to(outside)
    with pytest.raises(OutsideStore):
        Mirror(Hostile(), str(tmp_path / "far"), reader).pull()
    assert not list(outside.iterdir()) and not (tmp_path / "evil").exists()


def test_after_a_pull_only_what_changes_is_pushed(sides: QAPair, far: tuple[Any, str], tmp_path: Path) -> None:
    """A node that takes a run over has the run folder from the storage and need not send it back."""
    ours, theirs, writer, reader = sides
    put(writer, "run.json", "{}")
    put(writer, "checkpoints/a/state.json", "1")
    ours.push()
    theirs.pull()
    assert theirs.push() == 0
    (reader / "checkpoints/a/state.json").unlink()
    theirs.push()
    third = Mirror(*far, tmp_path / "third")
    third.pull()
    assert content(tmp_path / "third") == {"run.json": "{}"}
