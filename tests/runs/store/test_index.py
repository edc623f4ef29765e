"""A large store is listed from its index, and the index is believed only where the runs' own files agree with it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medqa_core.foundation.files import read_json
from medqa_core.runs import reading as reading_module
from medqa_core.runs.schema.status import ProcessIdentity, derived_state
from medqa_core.runs.store import index
from medqa_core.runs.store import run_store as store_module
from medqa_core.runs.store.run_store import RunStore
from tests.support.runs import good_run, rewrite


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache's folder of indexes; three runs are a large store here."""
    monkeypatch.setenv("MEDQA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store_module, "INDEXED_FROM", 3)
    return tmp_path / "cache" / "run-lists"


@pytest.fixture
def listed(store: RunStore, cache: Path) -> RunStore:
    """A store of three runs with its index."""
    for number in range(3):
        good_run(store, f"run-{number}")
    store.list()
    assert len(list(cache.iterdir())) == 1
    return store


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs whose files are read from now on."""
    seen: list[str] = []
    real = read_json

    def counting(path: Path) -> object:
        seen.append(path.parent.name)
        return real(path)

    monkeypatch.setattr(reading_module, "read_json", counting)
    return seen


def test_a_new_process_opens_no_run(listed: RunStore, read: list[str]) -> None:
    assert RunStore(listed.folder).list() == listed.list()
    assert read == []


def test_a_changed_run_is_read_and_the_others_are_not(listed: RunStore, read: list[str]) -> None:
    rewrite(listed.folder / "run-1" / "run.json", title="Renamed")
    rewrite(listed.folder / "run-2" / "status.json", state="failed", error="The disk is full.")
    found = {entry.id: entry for entry in RunStore(listed.folder).list()}
    assert set(read) == {"run-1", "run-2"}
    assert found["run-1"].title == "Renamed" and found["run-2"].state == "failed"


def test_runs_come_and_go(listed: RunStore, read: list[str]) -> None:
    shutil.rmtree(listed.folder / "run-0")
    good_run(listed, "run-3")
    read.clear()
    assert {entry.id for entry in RunStore(listed.folder).list()} == {"run-1", "run-2", "run-3"}
    assert set(read) == {"run-3"}


def test_a_live_state_is_derived_anew(listed: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    alive = ProcessIdentity.current().model_dump()
    for number in range(3):
        rewrite(listed.folder / f"run-{number}" / "status.json", state="running", process=alive)
    listed.list()
    assert {entry.state for entry in RunStore(listed.folder).list()} == {"running"}
    monkeypatch.setattr(ProcessIdentity, "is_alive", lambda self: False)
    assert {entry.state for entry in RunStore(listed.folder).list()} == {"lost"}
    assert vars(index)["derived_state"] is derived_state, "there is one rule for it"


def test_a_run_that_cannot_be_opened_is_looked_at_by_each_process(listed: RunStore, read: list[str]) -> None:
    good_run(listed, "bad")
    (listed.folder / "bad" / "run.json").write_text("{")
    for number in range(3):
        rewrite(listed.folder / f"run-{number}" / "run.json", number=number)
    assert {e.state for e in listed.list() if e.id == "bad"} == {"unreadable"}
    read.clear()
    assert {e.state for e in RunStore(listed.folder).list() if e.id == "bad"} == {"unreadable"}
    assert set(read) == {"bad"}


def test_a_link_is_never_taken_from_the_index(listed: RunStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (listed.folder / "run-1").rename(outside)
    (listed.folder / "run-1").symlink_to(outside)
    [entry] = [entry for entry in RunStore(listed.folder).list() if entry.id == "run-1"]
    assert entry.state == "unreadable" and "leads out of" in (entry.problem or "")


def replaced(**changes: object) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def first_entry(path: Path, change: Callable[[list[Any]], object]) -> None:
    value = json.loads(path.read_text())
    change(next(iter(value["runs"].values())))
    path.write_text(json.dumps(value))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_text(""),
    "torn": lambda path: path.write_bytes(path.read_bytes()[:300]),
    "a list": lambda path: path.write_text("[]"),
    "another format": replaced(format=0),
    "another store": replaced(store="/elsewhere"),
    "no runs": replaced(runs=None),
    "odd entry": lambda path: first_entry(path, lambda row: row.clear()),
    "title is no text": lambda path: first_entry(path, lambda row: row[1].__setitem__("title", 5)),
    "no zone": lambda path: first_entry(path, lambda row: row[1].__setitem__("created_at", "2026-01-01T00:00:00")),
    "odd status": lambda path: first_entry(path, lambda row: row.__setitem__(2, {"state": "flying"})),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_index_is_not_used(listed: RunStore, cache: Path, read: list[str], kind: str) -> None:
    [path] = cache.iterdir()
    DAMAGE[kind](path)
    assert RunStore(listed.folder).list() == listed.list()
    assert set(read) == {"run-0", "run-1", "run-2"}


def test_a_cache_that_cannot_be_written_is_merely_slower(
    store: RunStore, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEDQA_CACHE", str(tmp_path / "file"))
    for number in range(3):
        good_run(store, f"run-{number}")
    assert len(store.list()) == 3


def test_a_small_store_has_no_index(store: RunStore, cache: Path) -> None:
    for number in range(2):
        good_run(store, f"run-{number}")
    assert len(store.list()) == 2
    assert not cache.exists()
