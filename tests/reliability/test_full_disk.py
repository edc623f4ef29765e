"""A disk that is full at any call: what was there stays whole, and one sentence says what happened."""

import contextlib
import io
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from medqa_core.cli.app import main
from medqa_core.foundation import files
from medqa_core.foundation.disk import trouble
from medqa_core.foundation.errors import RunError
from medqa_core.foundation.lines import append, open_to_append, read_lines
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import queue
from medqa_core.runs.artifacts.manifest import check_manifest
from medqa_core.runs.artifacts.votes import Vote, cast_vote, read_votes
from medqa_core.runs.readers import WRITE_UPS
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.record import RunRecord
from medqa_core.runs.schema.status import Status, now
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training import checkpoint
from medqa_core.training.checkpoint import Counters
from tests.support.failing_disk import Failure, every_failure

pytestmark = pytest.mark.reliability

SUMMARY = "Model: distilgpt2\nTest Loss: 2.0423\nPerplexity: 7.708\nROUGE-L: 0.1652\nEpochs: 8\nLearning Rate: 5e-05\n"


def full(failure: Failure) -> bool:
    return isinstance(failure.error, OSError) and trouble(failure.error) == "full"


def test_a_file(tmp_path: Path) -> None:
    path = Path("run.json")
    for failure in every_failure(
        tmp_path, lambda f: files.write_bytes(f / path, b"old"), lambda f: files.write_bytes(f / path, b"new" * 9)
    ):
        assert full(failure), failure
        # After the last call the new one has its name; only whether that is on the disk is not known.
        expected = b"new" * 9 if failure.call == "fsync ." else b"old"
        assert (failure.folder / path).read_bytes() == expected, failure
        assert [p.name for p in failure.folder.iterdir()] == ["run.json"], failure


def test_a_folder(tmp_path: Path) -> None:
    def fill(folder: Path, text: str) -> None:
        files.write_text(folder / "weights", text)
        (folder / text).mkdir()
        (folder / text / "config").write_text(text)

    def write(folder: Path, text: str) -> None:
        files.write_folder(folder / "adapter", lambda temporary: fill(temporary, text))

    for failure in every_failure(tmp_path, lambda f: write(f, "old"), lambda f: write(f, "new")):
        assert full(failure), failure
        files.recover(failure.folder)  # what the next attempt begins with
        adapter = failure.folder / "adapter"
        text = (adapter / "weights").read_text()
        assert text in ("old", "new") and (adapter / text / "config").read_text() == text, failure
        assert sorted(p.name for p in adapter.iterdir()) == sorted([text, "weights"]), failure
        assert [p.name for p in failure.folder.iterdir()] == ["adapter"], failure


def test_a_file_that_grows(tmp_path: Path) -> None:
    def add(folder: Path, *lines: str) -> None:
        descriptor = open_to_append(folder / "rows")
        try:
            for line in lines:
                append(descriptor, line + "\n")
        finally:
            os.close(descriptor)

    def begin(folder: Path) -> None:
        add(folder, "one", "two")
        with open(folder / "rows", "ab") as file:
            file.write(b"tor")

    for failure in every_failure(tmp_path, begin, lambda f: add(f, "three", "four")):
        assert full(failure), failure
        add(failure.folder, "after")
        lines, _ = read_lines(failure.folder / "rows", 10**6)
        kept = [line for line in lines if line not in ("", "tor")]
        assert kept in (["one", "two", "after"], ["one", "two", "three", "after"]), failure


def _record(run_id: str) -> RunRecord:
    return RunRecord(id=run_id, title="A run", kind="finetune", created_at=now(), config=from_preset("smoke"))


def test_a_new_run(tmp_path: Path) -> None:
    def create(folder: Path, run_id: str) -> Run:
        store = RunStore(folder)
        return store.create(_record(run_id), lambda made: files.write_text(made / "metrics.jsonl", "{}\n"))

    for failure in every_failure(tmp_path, lambda f: create(f, "first"), lambda f: create(f, "second")):
        assert isinstance(failure.error, RunError) and "No space left" in str(failure.error), failure
        store = RunStore(failure.folder)
        assert [(entry.id, entry.problem) for entry in store.list()] == [("first", None)], failure
        assert failure.visible == ["first"], failure
        create(failure.folder, "second")
        assert store.free_id("second") == "second-2"


def _checkpoint(folder: Path, step: int) -> None:
    weights = {"w": torch.full((3, 5), float(step))}
    checkpoint.write(
        folder, Counters(step=step), weights, {"step/w": torch.tensor(1.0)}, {"cpu": torch.get_rng_state()}
    )


def test_a_checkpoint(tmp_path: Path) -> None:
    """And of the same step once more, as after a stop that followed upon a checkpoint."""

    def prepare(folder: Path) -> None:
        for step in (1, 2):
            _checkpoint(folder, step)

    for step in (3, 2):
        (tmp_path / str(step)).mkdir()
        for failure in every_failure(tmp_path / str(step), prepare, partial(_checkpoint, step=step)):
            leftover = failure.call == "rename checkpoints/step-00000001"  # one more is kept than need be
            assert full(failure) or (leftover and failure.error is None), failure
            checkpoint.recover(failure.folder)
            found = checkpoint.newest(failure.folder)
            assert found is not None and found.counters.step in (2, step), failure
            assert torch.unique(found.weights["w"]).tolist() == [found.counters.step], failure
            names = [path.name for path in (failure.folder / "checkpoints").iterdir()]
            assert all(name.startswith("step-0000000") for name in names), failure


def _vote(number: int) -> Vote:
    return Vote(
        id=f"{number:032x}", time=now(), left="base", choice="left", base_sha256="a" * 64, fine_tuned_sha256="b" * 64,
        temperature=0, precision="float32",
    )  # fmt: skip


def test_a_vote(tmp_path: Path) -> None:
    def prepare(folder: Path) -> None:
        files.write_json(folder / "run.json", _record("voted").model_dump(mode="json"))
        cast_vote(folder, _vote(1))

    for failure in every_failure(tmp_path, prepare, lambda f: cast_vote(f, _vote(2))):
        assert isinstance(failure.error, RunError), failure
        assert str(failure.error) == "The vote was not saved: votes.jsonl cannot be written (No space left on device)."
        assert [vote.id for vote in read_votes(failure.folder).value] == [_vote(1).id], failure
        cast_vote(failure.folder, _vote(2))  # it was not kept, so it may be cast again
        found = read_votes(failure.folder)
        assert len(found.value) == 2 and found.problems == (), failure


def _command(reports: Path, *arguments: str) -> None:
    """A command, whose error becomes an exception with what stands on standard error."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDQA_REPORTS", str(reports))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main(list(arguments))
    if ended.value.code:
        raise SystemExit(err.getvalue())


def _one_line(failure: Failure) -> bool:
    said = str(failure.error)
    return (
        isinstance(failure.error, SystemExit)
        and said.startswith("error: ")
        and said.count("\n") == 1
        and ("The disk is full." in said or "No space left on device" in said)
        and str(failure.folder) not in said
    )


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one imported run that is written up."""
    place = tmp_path_factory.mktemp("imported")
    (place / "first.txt").write_text(SUMMARY)
    _command(place / "reports", "import", str(place / "first.txt"), "--run-id", "first")
    return place


def test_an_import(tmp_path: Path, imported: Path) -> None:
    source = imported / "first.txt"
    (tmp_path / "work").mkdir()
    before = (imported / "reports" / "first" / "README.md").read_bytes()
    for failure in every_failure(
        tmp_path / "work",
        lambda f: shutil.copytree(imported / "reports", f, dirs_exist_ok=True),
        lambda f: _command(f, "import", str(source), "--run-id", "second"),
    ):
        assert _one_line(failure), failure
        entries = {entry.id: (entry.state, entry.problem) for entry in RunStore(failure.folder).list()}
        assert entries.pop("first") == ("imported", None), failure
        assert entries in ({}, {"second": ("imported", None)}), failure
        assert check_manifest(failure.folder / "first") == []
        assert (failure.folder / "first" / "README.md").read_bytes() == before


@pytest.mark.parametrize("packed", [False, True])
def test_a_report(tmp_path: Path, imported: Path, packed: bool) -> None:
    """Each write-up is the old one or the new one; the manifest is right or gone, and never calls them damaged."""
    new = {name: (imported / "reports" / "first" / name).read_bytes() for name in WRITE_UPS}

    def prepare(folder: Path) -> None:
        shutil.copytree(imported / "reports", folder, dirs_exist_ok=True)
        if not packed:  # as an older version wrote them
            for name in WRITE_UPS:
                (folder / "first" / name).write_bytes(b"Older. " + new[name])
            (folder / "first" / "manifest.json").unlink()
            files.write_json(folder / "first" / "manifest.json", _manifest(folder / "first"))

    def act(folder: Path) -> None:
        _command(folder, "report", "first", *(["--zip", str(folder / "first.zip")] * packed))

    (tmp_path / "work").mkdir()
    for failure in every_failure(tmp_path / "work", prepare, act):
        assert _one_line(failure), failure
        run = RunStore(failure.folder).open("first")
        for name in WRITE_UPS:
            assert (run.folder / name).read_bytes() in (new[name], b"Older. " + new[name]), failure
        assert check_manifest(run.folder) in ([], ["manifest.json is missing."]), failure
        assert failure.visible == ["first"], failure
        assert [path.name for path in run.folder.iterdir() if path.name.startswith(".")] == [], failure


def _manifest(folder: Path) -> dict[str, Any]:
    sums = {path.name: files.sha256(path) for path in folder.iterdir()}
    return {"schema_version": 1, "files": sums}


def test_the_queue(tmp_path: Path) -> None:
    def prepare(folder: Path) -> None:
        run = RunStore(folder).create(_record("waits"))
        queue.write_status(run.folder, Status(state="stopped", step=3))

    def act(folder: Path) -> None:
        settings = Settings(reports=folder, cache=folder / "cache", medquad=None, mmlu=None, public=False)
        queue.enqueue(RunStore(folder).open("waits"), settings)

    for failure in every_failure(tmp_path, prepare, act):
        assert isinstance(failure.error, RunError) and "\n" not in str(failure.error), failure
        run = RunStore(failure.folder).open("waits")
        assert run.state() in ("stopped", "queued") and run.snapshot().problems == (), failure
