"""The way in: each format is told apart, bad input is refused in one line, and the store stays clean."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medqa_core.foundation.errors import InputError, MedQAError, RunError
from medqa_core.runs.importers import import_path, importer
from medqa_core.runs.store.run_store import RunStore
from tests.support.foreign_runs import SUMMARY, lm_eval, misread, trainer_folder, trainer_state
from tests.support.runs import read_everything


def _summary(folder: Path) -> Path:
    path = folder / "summary.txt"
    path.write_text(SUMMARY, encoding="utf-8")
    return path


def _sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(2**30)


def _binary_after_text(path: Path) -> None:
    path.write_bytes(SUMMARY.encode() + b"\0")


BAD: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "blank": lambda path: path.write_bytes(b" \n\n"),
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 20),
    "text with a zero byte": _binary_after_text,
    "not utf-8": lambda path: path.write_bytes(SUMMARY.encode("utf-16")),
    "latin-1": lambda path: path.write_bytes("Test Loss: 2.0 é".encode("latin-1")),
    "html": lambda path: path.write_text("<!doctype html><p>Test Loss"),
    "csv": lambda path: path.write_text("a,b\n1,2\n"),
    "torn json": lambda path: path.write_text(json.dumps(trainer_state())[:300]),
    "other json": lambda path: path.write_text('{"a": 1}'),
    "nested json": lambda path: path.write_text("[" * 200_000),
    "closed nested json": lambda path: path.write_text('{"results":' + "[" * 900 + "]" * 900 + "}"),
    "endless number": lambda path: path.write_text('{"results": ' + "9" * 10_000 + "}"),
    "huge": _sparse,
    "long text": lambda path: path.write_text(SUMMARY + "x" * 300_000),
    "empty folder": lambda path: path.mkdir(),
    "fifo": os.mkfifo,
    "dangling link": lambda path: path.symlink_to(path.with_name("nowhere")),
    "loop": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_refused_at_once_in_one_line(store: RunStore, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "thing"
    BAD[kind](path)
    start = time.monotonic()
    with pytest.raises(InputError) as caught:
        import_path(path, store)
    assert time.monotonic() - start < 2
    message = str(caught.value)
    assert message.startswith("thing")
    assert "\n" not in message
    assert all(words in message for words in ("summary text", "trainer_state.json", "results.json"))
    assert str(tmp_path) not in message
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "no/such/folder", "é\ud800", ""])
def test_a_path_that_cannot_be(store: RunStore, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        import_path(tmp_path / name if name else Path(), store)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_each_format_is_told_apart(store: RunStore, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps(lm_eval()))
    for path, expected in (
        (_summary(tmp_path), "summary"),
        (trainer_folder(tmp_path / "out"), "trainer"),
        (tmp_path / "r.json", "lm-eval"),
    ):
        run = import_path(path, store)
        assert run.record.kind == "imported"
        assert run.record.imported.format == expected  # type: ignore[union-attr]
    assert {entry.state for entry in store.list()} == {"imported"}
    assert len(store.list()) == 3


def test_the_name_and_the_checksum_of_the_source_are_kept_and_its_place_is_not(store: RunStore, tmp_path: Path) -> None:
    path = _summary(tmp_path)
    run = import_path(path, store)
    assert run.record.imported is not None
    assert run.record.imported.source == "summary.txt"
    assert run.record.imported.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert all(str(tmp_path) not in p.read_text() for p in run.folder.rglob("*.json"))


def test_the_caller_s_id_and_title_win(store: RunStore, tmp_path: Path) -> None:
    run = import_path(_summary(tmp_path), store, run_id="mine", title=" My\nrun\u202e ")
    assert (run.id, run.record.id, run.record.title) == ("mine", "mine", "My run")


def test_a_second_import_gets_a_fresh_id(store: RunStore, tmp_path: Path) -> None:
    path = _summary(tmp_path)
    assert [import_path(path, store).id for _ in range(3)] == ["run-5", "run-5-2", "run-5-3"]


def test_a_taken_id_is_refused(store: RunStore, tmp_path: Path) -> None:
    path = _summary(tmp_path)
    import_path(path, store, run_id="mine")
    with pytest.raises(InputError, match="'mine' is taken"):
        import_path(path, store, run_id="mine")
    assert len(list(store.folder.iterdir())) == 1


@pytest.mark.parametrize("run_id", ["../x", "", ".x", "a b"])
def test_a_bad_id_is_refused_before_anything_is_read(store: RunStore, tmp_path: Path, run_id: str) -> None:
    with pytest.raises(InputError, match="run id"):
        import_path(tmp_path / "absent", store, run_id=run_id)


def test_the_store_gets_a_run_whole_or_not_at_all(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        assert store.list() == []
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(importer, "write_json", full)
    with pytest.raises(RunError, match="cannot be written"):
        import_path(_summary(tmp_path), store)
    assert list(store.folder.iterdir()) == []


def test_a_store_that_is_not_there_is_made(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "new" / "store")
    assert import_path(_summary(tmp_path), store).id == "run-5"
    assert len(store.list()) == 1


def test_the_current_folder_has_a_name(store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trainer_folder(tmp_path / "out"))
    assert import_path(Path(), store).id == "out"


noise = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=300).map(lambda b: b"{" + b),
    st.text(max_size=200).map(lambda t: ("Test Loss: 2\n" + t).encode("utf-8", "replace")),
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(noise)
def test_random_bytes_raise_nothing_else(store: RunStore, tmp_path: Path, content: bytes) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    file.write_bytes(content)
    for name in ("trainer_state.json", "all_results.json", "config.json"):
        (folder / name).write_bytes(content)
    for path in (file, folder):
        try:
            run = import_path(path, store)
        except MedQAError as error:
            assert "\n" not in str(error)
        else:
            read_everything(store.open(run.id))


numbers: st.SearchStrategy[object] = st.one_of(
    st.integers(), st.floats(), st.sampled_from([0, -1, 1e-300, 1e300, 10**400, True, None, "x", [], {}])
)
STATE_KEYS = ["epoch", "global_step", "max_steps", "num_train_epochs", "train_batch_size", "log_history", "best_metric"]
ROW_KEYS = ["loss", "eval_loss", "step", "epoch", "grad_norm", "learning_rate", "train_loss", "train_runtime"]
RESULT_KEYS = ["train_samples", "train_samples_per_second", "train_steps_per_second", "train_runtime", "test_loss"]
RESULT_KEYS += ["perplexity", "eval_loss", "test_rouge1", "test_rougeL", "test_samples"]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(st.sampled_from(STATE_KEYS), numbers),
    st.lists(st.dictionaries(st.sampled_from(ROW_KEYS), numbers), max_size=4),
    st.dictionaries(st.sampled_from(RESULT_KEYS), numbers),
)
def test_random_figures_of_a_trainer_raise_nothing_else(
    store: RunStore, tmp_path: Path, state: dict[str, Any], history: list[Any], results: dict[str, Any]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": history} | state))
    (folder / "all_results.json").write_text(json.dumps(results))
    try:
        run = import_path(folder, store)
    except MedQAError:
        return
    read_everything(store.open(run.id))
    assert store.open(run.id).snapshot().problems == ()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(st.sampled_from(["acc,none", "acc_stderr,none"]), numbers, min_size=1), numbers, numbers, numbers
)
def test_random_figures_of_a_harness_raise_nothing_else(
    store: RunStore, tmp_path: Path, row: dict[str, Any], samples: object, config: object, date: object
) -> None:
    value = lm_eval() | {"config": config, "date": date, "n-samples": {"mmlu_anatomy": {"effective": samples}}}
    value["results"]["mmlu_anatomy"] = row
    path = tmp_path / "results.json"
    path.write_text(json.dumps(value))
    run = import_path(path, store)
    read_everything(store.open(run.id))
    assert store.open(run.id).snapshot().problems == ()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_random_values_in_a_summary_raise_nothing_else(store: RunStore, tmp_path: Path, data: st.DataObject) -> None:
    value = st.one_of(
        st.text(max_size=20),
        st.floats().map(str),
        st.integers().map(str),
        st.sampled_from(["0", "1e300", "1e-300", "-5"]),
    )
    lines = SUMMARY.splitlines()
    for at in data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=12)):
        lines[at] = lines[at].split(":")[0] + ": " + data.draw(value)
    text = "\n".join(lines)
    path = tmp_path / "summary.txt"
    path.write_bytes((misread(text) if data.draw(st.booleans()) else text).encode("utf-8", "replace"))
    try:
        run = import_path(path, store)
    except MedQAError:
        return
    read_everything(store.open(run.id))
    assert store.open(run.id).snapshot().problems == ()
    assert [entry.problem for entry in store.list() if entry.id == run.id] == [None]
