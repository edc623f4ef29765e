"""Runs at an address, brought into a store here, and a stop that is passed on."""

import time
from datetime import timedelta
from pathlib import Path

import fsspec
import pytest

from medqa_core.cluster.follow import Follower, follow
from medqa_core.cluster.storage import Storage, sweep_name
from medqa_core.foundation.errors import InputError
from medqa_core.jobs.queue import write_status
from medqa_core.runs.artifacts import stop_request
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.status import ProcessIdentity, Status, now
from medqa_core.runs.store.run_store import RunStore

FAR = ProcessIdentity(pid=1, created=0.0, boot="theirs", host="node-7")


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.at(f"file://{tmp_path}/far")


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "here")


def running() -> Status:
    return Status(state="running", process=FAR, heartbeat=now(), next_heartbeat=now() + timedelta(seconds=60))


def far_run(tmp_path: Path, run_id: str, status: Status) -> Run:
    there = RunStore(tmp_path / "far")
    draft = there.new_record(from_preset("smoke"), run_id)
    return there.create(draft, lambda folder: write_status(folder, status))


def test_a_run_is_followed_until_it_ends(
    storage: Storage, store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = far_run(tmp_path, "a", running())
    states = []

    def pass_time(_: float) -> None:
        states.append(store.open("a").state())
        write_status(run.folder, Status(state="completed", step=4))

    monkeypatch.setattr(time, "sleep", pass_time)
    assert follow(storage, store, None) == ["a"]
    assert states == ["running"]
    assert store.open("a").state() == "completed"


def test_a_stop_asked_for_here_gets_there(storage: Storage, store: RunStore, tmp_path: Path) -> None:
    run = far_run(tmp_path, "a", running())
    follower = Follower(storage, store)
    follower.round(["a"])
    stop_request.ask(store.path("a"))
    follower.round(["a"])
    assert stop_request.asked(run.folder)
    assert not stop_request.asked(store.path("a"))
    storage.withdraw_stop("a")
    follower.round(["a"])
    assert not storage.stop_requested("a")


def test_once_is_one_round(storage: Storage, store: RunStore, tmp_path: Path) -> None:
    far_run(tmp_path, "a", running())
    assert follow(storage, store, ["a"], once=True) == ["a"]


def test_a_run_that_is_not_there(storage: Storage, store: RunStore) -> None:
    assert follow(storage, store, None, once=True) == []
    with pytest.raises(InputError, match="no 'a' in"):
        follow(storage, store, ["a"])


def test_a_folder_needs_no_following(store: RunStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="set MEDQA_REPORTS"):
        follow(Storage.at(str(tmp_path)), store, None)


@pytest.mark.parametrize("address", ["nosuch://bucket/runs", "http2://x"])
def test_an_address_of_an_unknown_kind(address: str) -> None:
    with pytest.raises(InputError, match="cannot be used"):
        Storage.at(address)


def test_requests_and_folders_that_readers_pass_over(storage: Storage, tmp_path: Path) -> None:
    far_run(tmp_path, "a", running())
    whole = sweep_name("s")
    storage.request_stop(whole)
    assert storage.stop_requested(whole) and not storage.stop_requested("a")
    assert storage.run_ids() == ["a"]
    storage.discard(whole)
    storage.discard("a")  # a run is never discarded
    assert not storage.stop_requested(whole)
    assert storage.run_ids() == ["a"]


def test_an_address_in_memory() -> None:
    storage = Storage.at("memory://follow-test")
    try:
        assert storage.run_ids() == []
        fsspec.filesystem("memory").pipe_file("/follow-test/a/run.json", b"{}")
        assert storage.holds("a") and not storage.holds("b")
    finally:
        fsspec.filesystem("memory").rm("/follow-test", recursive=True)
