"""A deleted run is in the bin whole, comes back whole, and is gone after 30 days."""

from datetime import timedelta

import pytest

from medqa_core.foundation.errors import InputError, RunNotFound
from medqa_core.runs.run import Run
from medqa_core.runs.store import bin
from medqa_core.runs.store.labelling import LabelChange, change_labels
from medqa_core.runs.store.making import BIN
from medqa_core.runs.store.run_store import RunStore
from tests.support.runs import good_run


def files(run: Run) -> dict[str, bytes]:
    return {p.relative_to(run.folder).as_posix(): p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}


def test_there_and_back(store: RunStore, run: Run) -> None:
    change_labels(store, run.id, LabelChange(title="Named"))
    before = files(run)
    gone = bin.delete(store, run.id)
    assert store.list() == [] and not run.folder.exists()
    [kept] = bin.deleted(store)
    assert (kept.id, kept.title, kept.folder) == (run.id, "Named", gone.folder)
    assert bin.restore(store, run.id) == run.id
    assert files(run) == before and bin.deleted(store) == []


def test_a_reader_that_holds_a_deleted_run_goes_on(store: RunStore, run: Run) -> None:
    held = store.open(run.id)
    bin.delete(store, run.id)
    snapshot = held.snapshot()
    assert snapshot.record.title == held.record.title and snapshot.evaluation is None
    with pytest.raises(RunNotFound):
        store.open(run.id)


def test_an_id_that_is_taken_by_now(store: RunStore, run: Run) -> None:
    bin.delete(store, run.id)
    good_run(store, run.id)
    with pytest.raises(InputError, match="taken"):
        bin.restore(store, run.id)
    assert bin.restore(store, run.id, new_id="older") == "older"
    assert {entry.id for entry in store.list()} == {run.id, "older"}


def test_the_last_deleted_one_comes_back_first(store: RunStore) -> None:
    for title in ("first", "second"):
        change_labels(store, good_run(store, "same").id, LabelChange(title=title))
        bin.delete(store, "same")
    bin.restore(store, "same")
    assert store.open("same").record.title == "second"


def test_an_earlier_one_comes_back_by_the_time_of_its_deletion(store: RunStore) -> None:
    for title in ("first", "second"):
        change_labels(store, good_run(store, "same").id, LabelChange(title=title))
        bin.delete(store, "same")
    _, earlier = bin.deleted(store)
    bin.restore(store, "same", deleted_at=earlier.deleted_at)
    assert store.open("same").record.title == "first"
    with pytest.raises(InputError, match="not in the bin"):
        bin.restore(store, "same", new_id="older", deleted_at=earlier.deleted_at)


def test_also_where_the_clock_was_set_back_in_between(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    times = [bin.moment(), bin.moment() - timedelta(hours=1)]
    monkeypatch.setattr(bin, "moment", lambda: times[0])
    for title in ("first", "second"):
        change_labels(store, good_run(store, "same").id, LabelChange(title=title))
        gone = bin.delete(store, "same")
        times.reverse()
    assert bin.empty(store) == 0 and gone.gone_at >= times[0] + bin.KEPT
    bin.restore(store, "same")
    assert store.open("same").record.title == "second"


def test_after_thirty_days_it_is_gone(store: RunStore, run: Run) -> None:
    gone = bin.delete(store, run.id)
    assert bin.empty(store) == 0
    late = gone.deleted_at + bin.KEPT
    old = gone.folder.with_name(f"{run.id}~{(gone.deleted_at - timedelta(days=31)).strftime('%Y%m%dT%H%M%S%fZ')}")
    gone.folder.rename(old)
    assert gone.gone_at == late and bin.empty(store) == 1
    assert bin.deleted(store) == [] and not old.exists()
    with pytest.raises(InputError, match="gone after 30 days"):
        bin.restore(store, run.id)


def test_what_cannot_be_opened_can_be_deleted(store: RunStore) -> None:
    (store.folder / "torn").mkdir()
    (store.folder / "torn" / "run.json").write_text("{")
    bin.delete(store, "torn")
    assert [one.title for one in bin.deleted(store)] == ["torn"]


def test_of_a_link_the_link_goes(store: RunStore, run: Run) -> None:
    outside = store.folder.parent / "outside"
    run.folder.rename(outside)
    run.folder.symlink_to(outside)
    gone = bin.delete(store, run.id)
    assert bin.empty(store, before=bin.moment()) == 1
    assert (outside / "run.json").exists() and not gone.folder.is_symlink()


@pytest.mark.parametrize("name", ["../reports", "", ".bin", "no-such-run"])
def test_nothing_outside_is_reached(name: str, store: RunStore, run: Run) -> None:
    with pytest.raises((InputError, RunNotFound)):
        bin.delete(store, name)
    with pytest.raises(InputError):
        bin.restore(store, name)
    assert run.folder.exists()


def test_foreign_folders_of_the_bin_are_left_alone(store: RunStore, run: Run) -> None:
    (store.folder / BIN / "notes").mkdir(parents=True)
    (store.folder / BIN / "x~20269999T999999999999Z").mkdir()
    assert bin.deleted(store) == [] and bin.empty(store, before=bin.moment()) == 0
