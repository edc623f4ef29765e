"""The list of runs, and opening one: each damaged run is listed with a plain reason, the others work."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medqa_core.foundation.errors import InputError, OutsideStore, RunNotFound, UnreadableFile
from medqa_core.foundation.files import read_json
from medqa_core.runs import reading as reading_module
from medqa_core.runs.schema.status import ProcessIdentity
from medqa_core.runs.store.index import RunEntry
from medqa_core.runs.store.run_store import RunStore, answerable
from tests.support.runs import good_run, record, rewrite


def _entry(store: RunStore, run_id: str) -> RunEntry:
    return next(entry for entry in store.list() if entry.id == run_id)


def _write(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(2**30)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "run.json is missing"),
    "empty": (_write(b""), "run.json is empty"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:200]), "not valid JSON"),
    "latin-1": (lambda path: path.write_bytes('{"title": "é"}'.encode("latin-1")), "not UTF-8"),
    "utf-16": (lambda path: path.write_bytes(path.read_text().encode("utf-16")), "not UTF-8"),
    "html": (_write(b"<!doctype html><title>Sign in</title>"), "not valid JSON"),
    "nan": (lambda path: rewrite(path, number=float("nan")), "NaN is not JSON"),
    "newer": (lambda path: rewrite(path, schema_version=3), "newer MedQA Lab (schema 3)"),
    "absurdly newer": (_write(b'{"schema_version": ' + b"9" * 4000 + b"}"), "newer MedQA Lab"),
    "list": (_write(b"[]"), "run.json is not valid"),
    "wrong type": (lambda path: rewrite(path, created_at={"a": 1}), "run.json is not valid: created_at"),
    "nested": (_write(b"[" * 200_000), "nested too deeply"),
    "nested field": (
        lambda path: path.write_text(
            json.dumps({"created_at": 1})[:-1] + ', "config": ' + '{"a":' * 400 + "1" + "}" * 401
        ),
        "run.json is not valid",
    ),
    "sparse": (_sparse, "larger than 16 MiB"),
    "fifo": (_fifo, "not a file"),
    "folder": (_folder, "not a file"),
    "surrogate": (lambda path: path.write_text(path.read_text().replace("A good run", "\\ud800")), "surrogate pair"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_run_is_listed_with_its_reason_and_the_others_work(store: RunStore, kind: str) -> None:
    good_run(store, "good")
    bad = good_run(store, "bad")
    damage, said = DAMAGE[kind]
    damage(bad.folder / "run.json")
    start = time.monotonic()
    entry = _entry(store, "bad")
    assert time.monotonic() - start < 2
    assert entry.state == "unreadable"
    assert said in (entry.problem or "")
    assert "\n" not in (entry.problem or "")
    assert len(entry.problem or "") < 400
    assert str(store.folder) not in (entry.problem or "")
    assert _entry(store, "good").state == "completed"
    with pytest.raises(UnreadableFile):
        store.open("bad")


@pytest.mark.parametrize("name", ["bad name", "-x", "näme", "a" * 65, "a\nb", "x."])
def test_a_folder_that_is_no_run_id_is_listed_and_not_opened(store: RunStore, name: str) -> None:
    good_run(store, "good")
    (store.folder / name).mkdir()
    entries = store.list()
    [bad] = [entry for entry in entries if entry.id != "good"]
    assert bad.state == "unreadable"
    assert bad.id.isprintable()
    assert "run id" in (bad.problem or "")


def test_a_name_that_is_not_utf8_is_listed(store: RunStore) -> None:
    (store.folder / os.fsdecode(b"\xff\xfe")).mkdir()
    [bad] = store.list()
    assert bad.state == "unreadable"
    bad.id.encode()


def test_files_and_dot_folders_are_no_runs(store: RunStore) -> None:
    (store.folder / "notes.txt").write_text("x")
    (store.folder / ".half").mkdir()
    assert store.list() == []


def test_a_store_that_is_not_there_is_empty(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "absent")
    assert store.list() == []
    assert store.next_number() == 1
    assert store.free_id("a") == "a"


def _reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read from now on."""
    seen: list[Path] = []
    real = read_json

    def counting(path: Path) -> object:
        seen.append(path)
        return real(path)

    monkeypatch.setattr(reading_module, "read_json", counting)
    return seen


def test_a_link_out_of_the_store_is_listed_and_nothing_behind_it_is_read(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = RunStore(tmp_path / "outside")
    good_run(outside, "secret")
    good_run(store, "good")
    (store.folder / "link").symlink_to(outside.folder / "secret")
    (store.folder / "dangling").symlink_to(tmp_path / "nowhere")
    (store.folder / "up").symlink_to("..")
    seen = _reads(monkeypatch)
    for name in ("link", "dangling", "up"):
        entry = _entry(store, name)
        assert entry.state == "unreadable"
        assert "leads out of reports" in (entry.problem or "")
        assert entry.title == name
        with pytest.raises(OutsideStore):
            store.open(name)
    assert seen
    assert all(path.is_relative_to(store.folder.resolve() / "good") for path in seen)


def test_a_file_linked_out_of_the_run_is_not_read(store: RunStore, tmp_path: Path) -> None:
    run = good_run(store)
    secret = tmp_path / "secret"
    secret.write_text('{"state": "completed"}')
    for name in ("status.json", "evaluation.json", "metrics.jsonl", "predictions.parquet", "summary.txt", "train.log"):
        (run.folder / name).unlink()
        (run.folder / name).symlink_to(secret)
    (run.folder / "adapter").symlink_to(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"x")
    assert run.status() is None
    assert run.evaluation() is None
    assert run.predictions() is None
    assert run.write_up("summary.txt") is None
    assert run.log_tail() == ""
    assert run.adapter_folder() is None
    assert "leads out of" in run.metrics_log().problems[0]
    assert set(run.snapshot().problems_by_file) == {
        "status.json",
        "evaluation.json",
        "metrics.jsonl",
        "predictions.parquet",
    }
    entry = _entry(store, "good")
    assert entry.state == "unknown"
    assert "leads out of" in (entry.problem or "")


@pytest.mark.parametrize("run_id", ["..", "../outside", "a/b", "/etc", "", ".", "a\0b", ".hidden"])
def test_a_run_id_that_is_a_path_is_refused(store: RunStore, run_id: str) -> None:
    with pytest.raises(InputError):
        store.open(run_id)


def test_a_run_that_is_not_there(store: RunStore) -> None:
    with pytest.raises(RunNotFound, match="No run called 'absent'"):
        store.open("absent")


def test_a_listing_reads_each_unchanged_run_once(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        good_run(store, f"run-{n}")
    seen = _reads(monkeypatch)
    first = store.list()
    once = len(seen)
    assert {path.parent.name for path in seen} == {"run-0", "run-1", "run-2"}
    assert store.list() == first
    assert len(seen) == once
    rewrite(store.folder / "run-1" / "run.json", title="Renamed")
    assert _entry(store, "run-1").title == "Renamed"
    assert {path.parent.name for path in seen[once:]} == {"run-1"}


def test_the_state_of_a_listed_run_is_not_cached(store: RunStore) -> None:
    run = good_run(store)
    me = ProcessIdentity.current()
    path = run.folder / "status.json"
    rewrite(path, state="running", process=me.model_dump())
    assert _entry(store, "good").state == "running"
    assert store.open("good").state() == "running"
    rewrite(path, process=me.model_copy(update={"created": 0.0, "ticks": 0}).model_dump())
    assert _entry(store, "good").state == "lost"


def test_three_hundred_runs_are_listed_quickly(store: RunStore) -> None:
    good_run(store, "first")
    files = {name: (store.folder / "first" / name).read_bytes() for name in ("run.json", "status.json")}
    for n in range(299):
        folder = store.folder / f"run-{n}"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
    start = time.monotonic()
    assert len(store.list()) == 300
    cold = time.monotonic() - start
    start = time.monotonic()
    assert len(store.list()) == 300
    warm = time.monotonic() - start
    assert cold < 3
    assert warm < 0.3


def test_a_deleted_run_leaves_the_list(store: RunStore) -> None:
    good_run(store, "a")
    good_run(store, "b")
    assert len(store.list()) == 2
    for path in sorted((store.folder / "a").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (store.folder / "a").rmdir()
    assert [entry.id for entry in store.list()] == ["b"]


def test_newest_first(store: RunStore) -> None:
    for run_id, year in (("old", 2001), ("new", 2030), ("mid", 2020)):
        store.create(record(run_id, created_at=f"{year}-01-01T00:00:00+14:00"))
    store.create(record("oldest", created_at="0001-01-01T00:00:00+14:00"))
    assert [entry.id for entry in store.list()] == ["new", "mid", "old", "oldest"]


def test_runs_that_hold_a_model_can_be_asked(store: RunStore) -> None:
    for run_id in ("with", "without", "damaged"):
        good_run(store, run_id)
    for run_id in ("with", "damaged"):
        (store.folder / run_id / "adapter").mkdir()
        (store.folder / run_id / "adapter" / "adapter_model.safetensors").write_bytes(b"x")
    (store.folder / "damaged" / "run.json").write_text("{")
    assert [entry.id for entry in answerable(store)] == ["with"]
