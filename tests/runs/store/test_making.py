"""What a killed process left half-made in the store is no run, and goes with the next one that is made."""

import os
from pathlib import Path

import pytest

from medqa_core.foundation.files import write_json, write_text
from medqa_core.runs.schema.status import ProcessIdentity
from medqa_core.runs.store.making import BIN, MAKER, finished, making, sweep
from medqa_core.runs.store.run_store import RunStore
from tests.support.runs import GONE, record

HEX = "0123456789abcdef" * 2


def left(place: Path, name: str, maker: ProcessIdentity | None, *, hours_ago: float = 0) -> Path:
    """A half-made folder, and when it was last written to."""
    folder = place / f".{name}.{HEX}.tmp"
    write_text(folder / "model" / "model.safetensors", "half")
    if maker is not None:
        write_json(folder / MAKER, maker.model_dump(mode="json"))
    for path in (*folder.rglob("*"), folder):
        moment = path.stat().st_mtime - hours_ago * 3600
        os.utime(path, (moment, moment))
    return folder


def test_what_a_dead_process_left_goes_with_the_next_run(store: RunStore) -> None:
    dead = left(store.folder, "big", GONE)
    assert store.list() == [] and store.free_id("big") == "big"
    store.create(record("small"))
    assert not dead.exists() and os.listdir(store.folder) == ["small"]
    assert os.listdir(store.folder / "small") == ["run.json"], "a finished run says nothing of who made it"


def test_what_somebody_may_still_make_stays(store: RunStore) -> None:
    me = ProcessIdentity.current()
    other = me.model_copy(update={"host": "elsewhere"})
    mine = left(store.folder, "mine", me, hours_ago=72)
    theirs = left(store.folder, "theirs", other, hours_ago=23)
    unknown = left(store.folder, "unknown", None, hours_ago=23)
    torn = left(store.folder, "torn", None)
    (torn / MAKER).write_text("{")
    assert sweep(store.folder) == 0
    assert all(folder.is_dir() for folder in (mine, theirs, unknown, torn))


def test_what_nobody_writes_to_for_a_day_goes_and_nothing_else(store: RunStore) -> None:
    other = ProcessIdentity.current().model_copy(update={"host": "elsewhere"})
    run = store.create(record("kept"))
    (store.folder / BIN).mkdir()
    gone = [
        left(store.folder, "theirs", other, hours_ago=25),
        left(store.folder, "unknown", None, hours_ago=25),
        left(store.folder / BIN, "deleted", None, hours_ago=25),
    ]
    (store.folder / ".half").mkdir()
    (store.folder / f".linked.{HEX}.tmp").symlink_to(run.folder)
    assert sweep(store.folder) == 3 and not any(folder.exists() for folder in gone)
    assert sorted(os.listdir(store.folder)) == [BIN, ".half", f".linked.{HEX}.tmp", "kept"]
    assert sweep(store.folder / "nowhere") == 0


def test_the_block_of_a_run_that_is_made_is_not_swept(store: RunStore) -> None:
    with making(store.folder, "new") as folder:
        assert sweep(store.folder) == 0 and folder.is_dir()
        finished(folder)
        assert sweep(store.folder) == 0 and folder.is_dir(), "renamed in a moment"
    assert not folder.exists()
    with pytest.raises(KeyboardInterrupt), making(store.folder, "new") as folder:
        raise KeyboardInterrupt
    assert not folder.exists()
