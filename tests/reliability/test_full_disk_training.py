"""A training whose disk fills up or fails: it says so, keeps what it has, and goes on as if nothing had happened."""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.runs import status_writer
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training.train import resume, train
from tests.reliability import small_disk

pytestmark = pytest.mark.reliability

# The real thing: a small disk, and a training on it.


@pytest.fixture(scope="module")
def on_small_disk(lab: Settings, smoke: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of trainings on a disk that fills up."""
    unshare = shutil.which("unshare")
    if unshare is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("a small disk can be mounted by root on Linux only")
    place = tmp_path_factory.mktemp("disk")
    probe = [unshare, "-m", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    command = [unshare, "-m", sys.executable, small_disk.__file__, str(place), str(lab.cache)]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_training_that_fills_the_disk_says_so(on_small_disk: dict[str, Any]) -> None:
    assert on_small_disk["untouched"], "another run on the disk was changed"
    whole = on_small_disk["whole"]
    reached = set()
    for case in on_small_disk["cases"]:
        found = case["full"]
        cause, words = case["error"]
        assert (cause, words.startswith("The disk is full.")) == ("disk", True), case
        assert case["listed"]["whole"] == "completed"
        assert found is not None, f"{case['name']}: the run itself had room"
        assert (found["state"], found["cause"]) == ("failed", "disk"), case["name"]
        assert found["error"].startswith("The disk is full"), case["name"]
        assert (found["problems"], found["temporary"]) == ([], []), case["name"]
        for split, rows in found["curves"].items():
            assert rows == whole["curves"][split][: len(rows)], case["name"]
        reached.add(len(found["curves"]["train"]))
    assert len(reached) >= 4, "the disk was not filled at moments that differ"


def test_with_room_again_it_is_the_unbroken_run(on_small_disk: dict[str, Any]) -> None:
    whole = on_small_disk["whole"]
    for case in on_small_disk["cases"]:
        found = case["resumed"]
        assert (found["state"], found["problems"], found["temporary"]) == ("completed", [], []), case["name"]
        assert found["curves"] == whole["curves"], case["name"]
        assert found["weights"] == whole["weights"], case["name"]


# A sync that fails: what the system could not write it forgets, and a second sync reports success.


class Syncs:
    """Fails the first sync of a file that `wanted` picks, and remembers which files were synced when."""

    def __init__(self, patch: pytest.MonkeyPatch, wanted: Callable[[str], bool], skip: int = 0) -> None:
        self.failed: tuple[int, int] | None = None
        self.after: list[tuple[int, int]] = []
        sync = os.fsync

        def fsync(descriptor: int) -> None:
            nonlocal skip
            found = os.fstat(descriptor)
            identity = (found.st_dev, found.st_ino)
            if self.failed is not None:
                self.after.append(identity)
            elif wanted(str(Path(f"/proc/self/fd/{descriptor}").readlink())):
                skip -= 1
                if skip < 0:
                    self.failed = identity
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
            sync(descriptor)

        patch.setattr(os, "fsync", fsync)


@pytest.fixture
def store(lab: Settings, tmp_path: Path) -> Settings:
    return replace(lab, reports=tmp_path / "reports")


def curves(run: Run) -> list[list[float]]:
    metrics_log = run.metrics_log()
    return [curve[name].tolist() for curve in (metrics_log.train, metrics_log.validation) for name in ("step", "loss")]


@pytest.mark.parametrize(
    ("what", "skip"),
    [("metrics.jsonl", 7), ("weights.safetensors", 2), ("state.json", 3), ("/checkpoints", 2), ("adapter_model", 1)],
)
def test_a_sync_that_fails_ends_the_run_and_is_not_tried_again(
    store: Settings, smoke: Run, monkeypatch: pytest.MonkeyPatch, what: str, skip: int
) -> None:
    def wanted(path: str) -> bool:
        return path.endswith(what) if what.startswith("/") else what in path

    with monkeypatch.context() as patch:
        syncs = Syncs(patch, wanted, skip)
        with pytest.raises(OSError, match="Input/output error"):
            train(from_preset("smoke"), store, run_id="one")
    assert syncs.failed is not None
    assert syncs.failed not in syncs.after, "the same file was synced once more"
    run = RunStore(store.reports).open("one")
    status = run.status()
    assert status is not None and (status.state, status.cause) == ("failed", "disk")
    assert status.error is not None and status.error.startswith("The disk reported an error (Input/output error)")
    steps = run.metrics_log().train["step"].tolist()
    assert steps == list(range(1, len(steps) + 1)) and len(steps) < 12 and run.metrics_log().problems == ()
    resumed = resume(run, store)
    assert resumed.state() == "completed" and curves(resumed) == curves(smoke)


def test_a_heartbeat_that_finds_the_disk_failing_ends_the_run(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It replaces the whole file, so that its own sync is never tried again; but what else was lost nobody knows."""
    monkeypatch.setattr(status_writer, "HEARTBEAT_SECONDS", 0.05)
    with monkeypatch.context() as patch:
        beating = threading.current_thread
        Syncs(patch, lambda path: beating().name == "heartbeat" and "status.json" in path, 2)
        with pytest.raises(OSError, match="Input/output error"):
            train(from_preset("smoke"), store, run_id="one")
    status = RunStore(store.reports).open("one").status()
    assert status is not None and (status.state, status.cause) == ("failed", "disk")
