"""The worker's status: its last word finds room on a full disk, and a disk that fails is not trained on."""

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medqa_core.foundation import files
from medqa_core.foundation.files import read_json
from medqa_core.runs import status_writer
from medqa_core.runs.status_writer import SPARE, StatusWriter


def failing(number: int) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def state(folder: Path) -> tuple[str, str | None]:
    found = read_json(folder / "status.json")
    return found["state"], found["cause"]


def test_room_is_kept_while_a_worker_lives_and_given_back(tmp_path: Path) -> None:
    with StatusWriter(tmp_path) as status:
        assert (tmp_path / SPARE).stat().st_size == status_writer.SPARE_BYTES
        status.update(state="completed")
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_the_last_word_finds_room_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = files.write_json

    def full(path: Path, value: Any) -> None:
        if (tmp_path / SPARE).exists():  # not a byte is left but what that file takes
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, value)

    with StatusWriter(tmp_path) as status:
        monkeypatch.setattr(status_writer, "write_json", full)
        with pytest.raises(OSError, match="No space"):
            status.update(stage="training")
        assert (tmp_path / SPARE).exists()
        status.update(state="failed", error="The disk is full.", cause="disk")
    assert state(tmp_path) == ("failed", "disk")


def test_on_a_disk_that_is_full_from_the_start_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "write_bytes", failing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space"), StatusWriter(tmp_path):
        pytest.fail("it started")
    assert state(tmp_path) == ("failed", "disk")
    assert "did not start" in read_json(tmp_path / "status.json")["error"]


@pytest.mark.parametrize(("number", "fatal"), [(errno.EIO, True), (errno.ENOSPC, False)])
def test_a_heartbeat_on_a_bad_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, fatal: bool) -> None:
    monkeypatch.setattr(status_writer, "HEARTBEAT_SECONDS", 0.01)
    tried = threading.Event()
    write = files.write_json

    def beat(path: Path, value: Any) -> None:
        if threading.current_thread().name == "heartbeat" and not tried.is_set():
            tried.set()
            failing(number)()
        write(path, value)

    monkeypatch.setattr(status_writer, "write_json", beat)
    with StatusWriter(tmp_path) as status:
        assert tried.wait(10)
        if fatal:
            status._thread.join(10)
            with pytest.raises(OSError, match="Input/output"):
                status.note(step=1)
        else:  # the next heartbeats come
            deadline = time.monotonic() + 10
            status.note(step=1)
            while read_json(tmp_path / "status.json")["step"] != 1 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert read_json(tmp_path / "status.json")["step"] == 1
        status.update(state="failed", cause="disk")  # the end is said in any case
    assert state(tmp_path) == ("failed", "disk")
