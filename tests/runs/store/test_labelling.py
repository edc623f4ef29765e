"""A run is renamed, tagged, noted and archived, and nothing that proves what it is changes with it."""

import threading
from pathlib import Path

import pytest

from medqa_core.foundation.errors import InputError, RunNotFound, UnreadableFile
from medqa_core.runs.artifacts.labels import LABELS, Labels, read_labels
from medqa_core.runs.artifacts.manifest import check_manifest, write_manifest
from medqa_core.runs.artifacts.training_record import differences, write_training_record
from medqa_core.runs.run import Run
from medqa_core.runs.store.labelling import LabelChange, change_labels
from medqa_core.runs.store.run_store import RunStore
from tests.support.runs import good_run


def test_a_renamed_run_has_its_title_everywhere(store: RunStore, run: Run) -> None:
    before = run.record.title
    assert [entry.title for entry in store.list()] == [before]
    change_labels(store, run.id, LabelChange(title="  Second\ttry "))
    assert store.open(run.id).record.title == "Second try"
    assert run.snapshot().record.title == "Second try"
    assert [entry.title for entry in store.list()] == ["Second try"]
    change_labels(store, run.id, LabelChange(title=""))
    assert store.open(run.id).record.title == before


def test_manifest_and_training_record_hold(store: RunStore, run: Run) -> None:
    record = write_training_record(run.folder, by="training", code_version="x", best=None, changed=True)
    write_manifest(run.folder)
    stored = (run.folder / "run.json").read_bytes()
    change_labels(store, run.id, LabelChange(title="Another", add_tags=("a",), note="n", archived=True))
    assert (run.folder / "run.json").read_bytes() == stored
    assert check_manifest(run.folder) == [] and differences(run.folder, record) == []


def test_tags_are_added_and_removed_without_regard_to_case(store: RunStore, run: Run) -> None:
    change_labels(store, run.id, LabelChange(add_tags=("LoRA", "baseline", "lora")))
    assert change_labels(store, run.id, LabelChange(add_tags=("Zeta",))).tags == ("baseline", "LoRA", "Zeta")
    assert change_labels(store, run.id, LabelChange(remove_tags=("BASELINE",))).tags == ("LoRA", "Zeta")
    [entry] = store.list()
    assert entry.tags == ("LoRA", "Zeta") and not entry.archived
    assert change_labels(store, run.id, LabelChange(tags=())).tags == ()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (LabelChange(title="x" * 121), "title"),
        (LabelChange(add_tags=("x" * 41,)), "tags"),
        (LabelChange(add_tags=("a, b",)), "tags"),
        (LabelChange(add_tags=tuple(map(str, range(21)))), "tags"),
        (LabelChange(note="x" * 2001), "note"),
    ],
)
def test_a_label_that_cannot_be_is_refused_and_nothing_changes(
    change: LabelChange, field: str, store: RunStore, run: Run
) -> None:
    with pytest.raises(InputError, match=field):
        change_labels(store, run.id, change)
    assert not (run.folder / LABELS).exists()


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(store: RunStore, run: Run) -> None:
    seen = Labels()
    change_labels(store, run.id, LabelChange(title="Hers"), seen)
    with pytest.raises(InputError, match="'Hers'"):
        change_labels(store, run.id, LabelChange(title="His"), seen)
    change_labels(store, run.id, LabelChange(note="another label"), seen)
    assert read_labels(run.folder).value == Labels(title="Hers", note="another label")
    change_labels(store, run.id, LabelChange(title="Hers"), seen)  # both want the same


def test_many_at_once_lose_nothing(store: RunStore, run: Run) -> None:
    tags = [f"t{n}" for n in range(12)]
    threads = [
        threading.Thread(target=change_labels, args=(store, run.id, LabelChange(add_tags=(tag,)))) for tag in tags
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read_labels(run.folder).value.tags) == sorted(tags)  # type: ignore[union-attr]


def test_a_deleted_run_gets_no_folder_of_labels(store: RunStore) -> None:
    with pytest.raises(RunNotFound, match="deleted"):
        change_labels(store, "gone", LabelChange(title="x"))
    assert not (store.folder / "gone").exists()


def test_damaged_labels_are_named_and_the_run_opens(store: RunStore, run: Run) -> None:
    (run.folder / LABELS).write_text('{"title": 3')
    assert store.open(run.id).record.title == run.record.title
    assert any(LABELS in problem for problem in run.snapshot().problems)
    with pytest.raises(UnreadableFile, match="Remove the file"):
        change_labels(store, run.id, LabelChange(title="x"))


def test_labels_are_of_the_index_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from medqa_core.runs.store import run_store

    monkeypatch.setenv("MEDQA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(run_store, "INDEXED_FROM", 1)
    (tmp_path / "reports").mkdir()
    store = RunStore(tmp_path / "reports")
    good_run(store)
    store.list()
    change_labels(store, "good", LabelChange(title="New", add_tags=("t",), archived=True))
    [entry] = RunStore(store.folder).list()
    assert (entry.title, entry.tags, entry.archived) == ("New", ("t",), True)
