"""Making a run: complete or absent, one run an id, whoever else wants it."""

import threading
from pathlib import Path

import pytest

from medqa_core.foundation.errors import InputError, MedQAError, RunError
from medqa_core.runs.store.run_store import RunStore
from tests.support.runs import record


def test_a_new_run_is_complete_or_absent(store: RunStore) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match="No space left"):
        store.create(record("new"), fail)
    assert list(store.folder.iterdir()) == []


def test_a_taken_id_is_refused_and_the_run_kept(store: RunStore) -> None:
    store.create(record("a", title="First"))
    (store.folder / "empty").mkdir()
    (store.folder / "file").write_text("x")
    (store.folder / "dangling").symlink_to("nowhere")
    for run_id in ("a", "empty", "file", "dangling"):
        with pytest.raises(InputError, match="is taken"):
            store.create(record(run_id))
    assert store.open("a").record.title == "First"
    assert not [p for p in store.folder.iterdir() if p.name.startswith(".")]


def test_of_many_that_want_one_id_one_gets_it(store: RunStore) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def create(n: int) -> None:
        barrier.wait()
        try:
            store.create(record("wanted", title=f"Number {n}"))
            outcomes.append("made")
        except InputError:
            outcomes.append("taken")

    threads = [threading.Thread(target=create, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made"] + ["taken"] * 7
    assert store.open("wanted").record.title.startswith("Number")


def test_a_store_that_is_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("x")
    store = RunStore(tmp_path / "reports")
    assert store.list() == []
    with pytest.raises(MedQAError):
        store.create(record("a"))


def test_numbers_and_ids_follow_on(store: RunStore) -> None:
    store.create(record("a", number=41))
    store.create(record("a-2", number=None))
    assert store.next_number() == 42
    assert store.free_id("a") == "a-3"
    assert store.free_id("b") == "b"
