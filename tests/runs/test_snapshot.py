"""One snapshot of a run folder: immutable, of one state of its files, and cheap to take again."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError
from datetime import timedelta
from pathlib import Path

import pytest

from medqa_core.foundation.files import write_json
from medqa_core.foundation.stamp import FileStamp
from medqa_core.runs import readers, records, snapshot
from medqa_core.runs.artifacts.int8 import INT8
from medqa_core.runs.artifacts.predictions import write_predictions
from medqa_core.runs.artifacts.retrieval import RETRIEVAL
from medqa_core.runs.artifacts.votes import VOTES, Vote, cast_vote
from medqa_core.runs.part_cache import SETTLED, PartCache
from medqa_core.runs.reading import Reading
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import Activity, ProcessIdentity, Status, now
from tests.support.runs import rewrite
from tests.support.scenarios import SHOWN_AT, stored_predictions

FILES = ("record", "status", "evaluation", "metrics_log", "predictions", "with_sources", "mmlu", "mmlu_answers")
GONE = ProcessIdentity(pid=2**22 - 1, created=1.0, boot="another")
VOTE = Vote(
    id="0" * 16,
    time=SHOWN_AT,
    left="base",
    choice="tie",
    base_sha256="1" * 64,
    fine_tuned_sha256="2" * 64,
    temperature=0.0,
    precision="float32",
)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Nothing is known of earlier reads."""
    snapshot.forget()
    yield
    snapshot.forget()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file is read from now on."""
    counted: Counter[str] = Counter()

    def counting(name: str, reader: Callable[[Path], object]) -> Callable[[Path], object]:
        def read(folder: Path) -> object:
            counted[name] += 1
            return reader(folder)

        return read

    for name in FILES:
        where = records if hasattr(records, name) else readers
        monkeypatch.setattr(where, name, counting(name, getattr(where, name)))
    return counted


def settle(run: Run, seconds: float = 60) -> None:
    """As if nobody had written to the run for so long."""
    for path in run.folder.rglob("*"):
        if path.is_file():
            then = path.stat().st_mtime - seconds
            os.utime(path, (then, then))


def test_it_holds_what_the_folder_holds(run: Run) -> None:
    cast_vote(run.folder, VOTE)
    found = run.snapshot()
    assert (found.id, found.folder, found.record, found.state) == (run.id, run.folder, run.record, "completed")
    assert found.status == run.status() and found.evaluation == run.evaluation() and found.mmlu == run.mmlu()
    assert len(found.metrics_log.train) == 4 and found.votes == (VOTE,)
    assert found.predictions is not None and found.predictions.equals(
        stored_predictions().astype(found.predictions.dtypes)
    )
    nothing = (found.with_sources_rows, found.mmlu_answers, found.retrieval, found.int8, found.activity)
    assert nothing == (None,) * 5 and found.trials == ()
    assert (found.weights_file, found.has_model, found.problems) == (None, False, ())


def test_an_empty_folder(tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty").mkdir()
    found = Run(tmp_path / "empty", run.record).snapshot()
    assert (found.state, found.record, found.problems) == ("unknown", run.record, ())
    assert found.metrics_log.missing and found.metrics_log.empty


def test_the_weights(run: Run) -> None:
    for name, file in (("model", "model.safetensors"), ("adapter", "adapter_model.safetensors")):
        (run.folder / name).mkdir()
        (run.folder / name / file).write_bytes(b"x")
        found = run.snapshot()
        assert found.weights_file == run.folder / name / file and found.has_model
    assert found.model_folder == run.folder / "model" and found.adapter_folder == run.folder / "adapter"


def test_nothing_of_it_can_be_replaced(run: Run) -> None:
    found = run.snapshot()
    with pytest.raises(FrozenInstanceError):
        found.state = "failed"  # type: ignore[misc]
    with pytest.raises(TypeError):
        found.problems_by_file["status.json"] = ()  # type: ignore[index]
    with pytest.raises(TypeError):
        found.metrics_log.train.columns["loss"] = found.metrics_log.train["step"]  # type: ignore[index]
    with pytest.raises(ValueError, match="read-only"):
        found.metrics_log.train["loss"][0] = 0.0


def test_a_snapshot_stays_as_it_was(run: Run) -> None:
    settle(run)
    before = run.snapshot()
    rewrite(run.folder / "status.json", step=3)
    write_predictions(run.folder, stored_predictions()[:1])
    after = run.snapshot()
    assert before.status is not None and after.status is not None
    assert (before.status.step, after.status.step) == (4, 3)
    assert before.predictions is not None and after.predictions is not None
    assert (len(before.predictions), len(after.predictions)) == (3, 1)


def test_who_writes_to_a_table_writes_to_a_copy(run: Run) -> None:
    settle(run)
    first, second = run.snapshot().predictions, run.snapshot().predictions
    assert first is not None and second is not None
    first["base_answer"] = "?"
    first.loc[0, "base_loss"] = -1.0
    third = run.snapshot().predictions
    assert third is not None
    for table in (second, third):
        assert table["base_answer"].tolist() == ["Rest."] * 3 and table["base_loss"].tolist() == [2.0, 3.0, 4.0]


def test_only_changed_files_are_read_again(run: Run, reads: Counter[str]) -> None:
    settle(run)
    first = run.snapshot()
    assert reads == dict.fromkeys(FILES, 1)
    again = run.snapshot()
    assert reads == dict.fromkeys(FILES, 1)
    assert again.evaluation is first.evaluation and again.metrics_log is first.metrics_log
    with open(run.folder / "metrics.jsonl", "a") as file:
        file.write('{"split": "train", "step": 5, "loss": 1.0}\n')
    assert len(run.snapshot().metrics_log.train) == 5
    assert reads == dict.fromkeys(FILES, 1) | {"metrics_log": 2}
    (run.folder / "evaluation.json").unlink()
    assert run.snapshot().evaluation is None
    assert reads == dict.fromkeys(FILES, 1) | {"metrics_log": 3, "evaluation": 2}, "the curve had only just changed"


def test_a_file_that_was_just_written_is_read_again(run: Run, reads: Counter[str]) -> None:
    """Two writes within one tick of the file system's clock cannot be told apart by any stamp."""
    path = run.folder / "status.json"
    stamp = path.stat()
    for step in (1, 2, 3):
        path.write_text(Status(state="stopped", step=step).model_dump_json())
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        found = run.snapshot().status
        assert found is not None and found.step == step
    assert reads["status"] == 3


def test_all_parts_are_of_one_state(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation is replaced, and its answers with it, between the reading of the two."""
    settle(run)
    real, calls = readers.evaluation, list[object]()

    def replaced_meanwhile(folder: Path) -> object:
        found = real(folder)
        if not calls:
            rewrite(folder / "evaluation.json", primary_metric="rougeL")
            write_predictions(folder, stored_predictions()[:2])
        calls.append(found)
        return found

    monkeypatch.setattr(readers, "evaluation", replaced_meanwhile)
    found = run.snapshot()
    assert found.evaluation is not None and found.predictions is not None
    assert (found.evaluation.primary_metric, len(found.predictions)) == ("rougeL", 2)


def test_a_folder_that_never_rests_is_read_all_the_same(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real, step = records.status, iter(range(100))

    def restless(folder: Path) -> object:
        rewrite(folder / "status.json", step=next(step))
        return real(folder)

    monkeypatch.setattr(records, "status", restless)
    assert run.snapshot().status is not None
    assert next(step) == snapshot.ATTEMPTS


def test_problems_come_by_file_and_absence_is_none(run: Run) -> None:
    for name in ("evaluation.json", INT8, RETRIEVAL, "mmlu_results/results.json"):
        (run.folder / name).write_text("{")
    (run.folder / VOTES).write_text("{\n")
    with open(run.folder / "metrics.jsonl", "a") as file:
        file.write("{\n")
    (run.folder / "predictions.parquet").unlink()
    found = run.snapshot()
    by_file = found.problems_by_file
    assert set(by_file) == {"evaluation.json", INT8, RETRIEVAL, "mmlu_results/results.json", VOTES, "metrics.jsonl"}
    assert by_file[VOTES] == ("votes.jsonl: 1 line could not be read and was left out.",)
    assert set(found.problems) == {line for lines in by_file.values() for line in lines} and len(found.problems) == 6
    assert (found.evaluation, found.int8, found.retrieval, found.predictions) == (None,) * 4
    assert len(found.metrics_log.train) == 4, "what can be read of a damaged file is shown"


def test_a_record_that_cannot_be_read_any_more(run: Run) -> None:
    (run.folder / "run.json").write_text("{")
    found = run.snapshot()
    assert found.record == run.record and set(found.problems_by_file) == {"run.json"}
    rewritten = run.record.model_copy(update={"title": "Another"})
    write_json(run.folder / "run.json", rewritten.model_dump(mode="json"))
    assert run.snapshot().record.title == "Another", "a worker completes the record of a queued run"


@pytest.mark.parametrize(
    ("state", "process", "silent", "activity"),
    [
        ("queued", None, 0, "waiting"),
        ("queued", ProcessIdentity.current(), 0, "starting"),
        ("running", ProcessIdentity.current(), 0, "training"),
        ("running", ProcessIdentity.current(), 60, "stalled"),
        ("stopping", ProcessIdentity.current(), 0, "stopping"),
        ("running", GONE, 0, None),
        ("completed", None, 0, None),
    ],
)
def test_what_goes_on(
    run: Run, state: str, process: ProcessIdentity | None, silent: int, activity: Activity | None
) -> None:
    last = now() - timedelta(seconds=silent)
    beats = {"heartbeat": last, "next_heartbeat": last + timedelta(seconds=10)}
    status = Status.model_validate({"state": state, "process": process, "step": 1, "total_steps": 4, **beats})
    write_json(run.folder / "status.json", status.model_dump(mode="json"))
    found = run.snapshot()
    assert (found.activity, found.in_progress, found.progress) == (activity, activity is not None, 0.25)
    assert found.state == ("lost" if process is GONE else state)


def test_lost_is_concluded_when_the_snapshot_is_taken(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends; no file changes."""
    running = Status(state="running", process=ProcessIdentity.current())
    write_json(run.folder / "status.json", running.model_dump(mode="json"))
    settle(run)
    before = run.snapshot()
    monkeypatch.setattr(ProcessIdentity, "is_alive", lambda _: False)
    assert run.snapshot().state == "lost" and before.state == "running"


class TestPartCache:
    """The memory of what was read."""

    def _read(self, cache: PartCache, folder: Path, name: str) -> list[str]:
        """What was really read for one question to the cache."""
        seen: list[str] = []

        def reader(_: Path) -> Reading[str]:
            seen.append(name)
            return Reading(name)

        assert cache.read(folder, name, FileStamp.of(folder / name), reader) == Reading(name)
        return seen

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Three files of ten bytes that have been left alone for long."""
        for name in "abc":
            (tmp_path / name).write_bytes(b"0123456789")
            os.utime(tmp_path / name, ns=(0, 10**18))
        return tmp_path

    def test_the_ones_used_last_are_kept(self, folder: Path) -> None:
        cache = PartCache(parts=2, size=1000)
        assert [self._read(cache, folder, name) for name in "abab"] == [["a"], ["b"], [], []]
        self._read(cache, folder, "a")
        self._read(cache, folder, "c")
        assert [self._read(cache, folder, name) for name in "acb"] == [[], [], ["b"]]

    def test_it_is_bounded_by_size(self, folder: Path) -> None:
        cache = PartCache(parts=10, size=25)
        assert [self._read(cache, folder, name) for name in "abcbca"] == [["a"], ["b"], ["c"], [], [], ["a"]]
        small = PartCache(parts=10, size=9)
        assert self._read(small, folder, "a") and self._read(small, folder, "a"), "too large to keep"

    def test_a_file_is_kept_once_it_is_settled(self, folder: Path) -> None:
        cache, written = PartCache(parts=10, size=1000), (folder / "a").stat()
        os.utime(folder / "a", ns=(written.st_atime_ns, int(now().timestamp() * 1e9) - SETTLED // 4))
        assert self._read(cache, folder, "a") and self._read(cache, folder, "a")
        os.utime(folder / "a", ns=(written.st_atime_ns, int(now().timestamp() * 1e9) - 4 * SETTLED))
        assert self._read(cache, folder, "a") and not self._read(cache, folder, "a")
