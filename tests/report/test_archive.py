import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from medqa_core.report.archive import archive, members, weights_size, write_archive
from medqa_core.report.writer import write
from medqa_core.runs.store.labelling import LabelChange, change_labels
from tests.support.full_run import full
from tests.support.runs import RunBuilder


def names(packed: Any) -> Any:
    return zipfile.ZipFile(io.BytesIO(packed)).namelist()


def test_the_same_folder_gives_the_same_bytes_whatever_its_times_and_permissions(build: RunBuilder) -> None:
    run = build.finished()
    write(run)
    first = archive(run)
    for name in members(run):
        os.utime(run.folder / name, (1, 1))
        (run.folder / name).chmod(0o600)
    assert archive(run) == first
    with zipfile.ZipFile(io.BytesIO(first)) as packed:
        assert packed.testzip() is None
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in packed.infolist()} == {0o100644}
        assert packed.read("run-1/run.json") == (run.folder / "run.json").read_bytes()


def test_it_holds_the_run_and_nothing_else(build: RunBuilder, tmp_path: Path) -> None:
    run = full(build)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.txt").write_text("x")
    (run.folder / "leak.txt").symlink_to(secret / "key.txt")
    (run.folder / "leak").symlink_to(secret)
    (run.folder / ".hidden").write_text("x")
    (run.folder / "job.json").write_text("{}")
    (run.folder / "checkpoints" / "step-1").mkdir(parents=True)
    (run.folder / "checkpoints" / "step-1" / "weights.safetensors").write_text("x")
    os.mkfifo(run.folder / "pipe")
    found = names(archive(run))
    assert found == sorted(found)
    assert found == [f"full/{name}" for name in members(run)]
    assert "full/adapter/adapter_model.safetensors" in found
    assert not [name for name in found if any(word in name for word in ("leak", "hidden", "job", "checkp", "pipe"))]


def test_weights_can_stay_out(build: RunBuilder) -> None:
    run = build.finished()
    assert weights_size(run) == 4
    assert not [name for name in names(archive(run, weights=False)) if "adapter" in name]


def test_what_is_the_hosts_own_can_stay_out(build: RunBuilder) -> None:
    run = build.finished()
    (run.folder / "train.log").write_text("a path")
    change_labels(build.store, run.id, LabelChange(note="mine"))
    write(run)
    whole, shared = set(names(archive(run))), set(names(archive(run, private=False)))
    assert whole - shared == {"run-1/train.log", "run-1/status.json", "run-1/labels.json"} and shared < whole
    assert "run-1/manifest.json" in shared, "it lists none of them"
    (run.folder / "tensorboard").mkdir()
    (run.folder / "tensorboard" / "events.host").write_text("x")
    assert set(names(archive(run, private=False))) == shared - {"run-1/manifest.json"}


def test_it_is_written_whole_or_not_at_all(build: RunBuilder, tmp_path: Path) -> None:
    run = build.finished()
    target = tmp_path / "out" / "run.zip"
    write_archive(run, target)
    assert target.read_bytes() == archive(run)
    assert [path.name for path in target.parent.iterdir()] == ["run.zip"]
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError):
        write_archive(run, tmp_path / "file" / "run.zip")


def test_written_twice_the_write_ups_are_the_same_bytes(build: RunBuilder) -> None:
    run = full(build)
    first = {path.name: path.read_bytes() for path in write(run)}
    packed = archive(run)
    assert {path.name: path.read_bytes() for path in write(run)} == first
    assert archive(run) == packed
