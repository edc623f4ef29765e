"""The worker's status file is current while it runs, and says so when it ends without a word."""

import json
from pathlib import Path

import pytest

from medqa_core.runs import status_writer
from medqa_core.runs.status_writer import StatusWriter


def _read(folder: Path) -> dict[str, object]:
    value: dict[str, object] = json.loads((folder / "status.json").read_text())
    return value


def test_a_worker_that_ends_without_a_word_has_failed(tmp_path: Path) -> None:
    with StatusWriter(tmp_path):
        assert _read(tmp_path)["state"] == "running"
        assert _read(tmp_path)["next_heartbeat"]
    ended = _read(tmp_path)
    assert ended["state"] == "failed"
    assert ended["finished_at"]
    assert ended["next_heartbeat"] is None


def test_a_final_state_stays(tmp_path: Path) -> None:
    with StatusWriter(tmp_path) as status:
        status.update(state="completed", step=5)
    assert (_read(tmp_path)["state"], _read(tmp_path)["step"]) == ("completed", 5)


def test_a_full_disk_does_not_end_the_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_writer, "HEARTBEAT_SECONDS", 0.01)
    with StatusWriter(tmp_path) as status:
        beats = []

        def full(*_: object) -> None:
            beats.append(1)
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(status_writer, "write_json", full)
            while len(beats) < 3:
                status._done.wait(0.005)
        status.update(state="completed")
    assert _read(tmp_path)["state"] == "completed"
