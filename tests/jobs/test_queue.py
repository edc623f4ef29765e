"""The queue is on disk, in order, and never holds the same thing twice."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.foundation.errors import DataUnavailable, InputError, RunError, UnknownName
from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.jobs.queue import enqueue, entries, locked, store_of, submit
from medqa_core.runs.artifacts.job import read_job
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.status import Best, ProcessIdentity
from medqa_core.runs.store import lock
from tests.support.jobs import ESTIMATE
from tests.support.runs import GONE

SMOKE = from_preset("smoke")
SUBMITS = f"""
import sys; sys.path.insert(0, {str(PACKAGE_ROOT)!r})
from pathlib import Path
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.queue import submit
from medqa_core.runs.schema.presets import from_preset
made = submit(from_preset("smoke"), Settings(Path(sys.argv[1]), Path(sys.argv[2]), None, None, False))
print(made.run.id, made.new)
"""


def test_a_submitted_run_is_whole_and_waits(settings: Settings) -> None:
    made = submit(SMOKE, settings, estimate=ESTIMATE, evaluate=False)
    assert made.new
    assert {path.name for path in made.run.folder.iterdir()} == {"run.json", "job.json", "status.json"}
    run = store_of(settings).open("smoke")
    assert (run.state(), run.record.config, run.record.number, run.record.kind) == ("queued", SMOKE, 1, "finetune")
    job = read_job(run.folder).value
    assert job is not None and (job.estimate, job.evaluate) == (ESTIMATE, False)


def test_the_same_again_is_the_same_run(settings: Settings) -> None:
    first = submit(SMOKE, settings)
    again = submit(SMOKE, settings, run_id="another-name")
    assert (again.new, again.run.id) == (False, first.run.id)
    assert submit(SMOKE.model_copy(update={"seed": 1}), settings).run.id == "smoke-2"


def test_the_same_as_a_finished_run_is_a_new_one(settings: Settings, make: Callable[..., Run]) -> None:
    make("smoke", "completed")
    made = submit(SMOKE, settings)
    assert (made.new, made.run.id, made.run.record.number) == (True, "smoke-2", 2)


def test_the_same_as_a_running_one_is_that_one(settings: Settings, make: Callable[..., Run]) -> None:
    make("going", "running", process=ProcessIdentity.current())
    assert submit(SMOKE, settings).run.id == "going"


def test_pressed_at_once_from_many_threads(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: submit(SMOKE, settings), range(8)))
    assert {submission.run.id for submission in made} == {"smoke"}
    assert sum(submission.new for submission in made) == 1


def test_pressed_at_once_from_two_processes(settings: Settings) -> None:
    command = [sys.executable, "-c", SUBMITS, str(settings.reports), str(settings.cache)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in both)
    assert said == ["smoke False", "smoke True"]


def test_in_the_order_in_which_they_came(settings: Settings) -> None:
    for seed in (5, 3, 4):
        submit(SMOKE.model_copy(update={"seed": seed}), settings, run_id=f"seed-{seed}")
    assert [entry.run.id for entry in entries(settings)] == ["seed-5", "seed-3", "seed-4"]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"dataset": "startr"}, UnknownName, "Did you mean 'starter'"),
        ({"dataset": "medquad"}, DataUnavailable, "gone.zip, which does not exist"),
        ({"dataset": "/no/where.csv"}, InputError, "where.csv' does not exist"),
        ({"train_size": 9999}, InputError, "train_size: at most 568 training pairs"),
    ],
)
def test_what_cannot_be_trained_makes_no_run(
    changes: dict[str, object], error: type[Exception], words: str, settings: Settings
) -> None:
    with pytest.raises(error, match=words):
        submit(SMOKE.model_copy(update=changes), replace(settings, medquad=Path("gone.zip")))
    assert not settings.reports.exists()


@pytest.mark.parametrize("run_id", ["taken", "../x", ""])
def test_a_bad_id_makes_no_run(run_id: str, settings: Settings, make: Callable[..., Run]) -> None:
    make("taken", "completed")
    if run_id:
        with pytest.raises(InputError, match="run id"):
            submit(SMOKE, settings, run_id=run_id)
        assert entries(settings) == []


def test_a_file_here_is_found_from_anywhere(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"What is number {n}?,It is the number {n} of them all.\n" for n in range(200))
    (tmp_path / "mine.csv").write_text(f"question,answer\n{rows}")
    (tmp_path / "toy").mkdir()  # a name of ours stays one
    monkeypatch.chdir(tmp_path)
    config = submit(SMOKE.model_copy(update={"dataset": "mine.csv"}), settings).run.record.config
    assert config is not None
    assert (config.dataset, config.base_model) == (str(tmp_path / "mine.csv"), "toy")


def test_back_into_the_queue_with_what_was_reached(settings: Settings, make: Callable[..., Run]) -> None:
    best = Best(step=4, validation_loss=2.0)
    reached = {"step": 7, "total_steps": 12, "attempt": 2, "best": best, "tokens": 99, "train_seconds": 5.0}
    run = make("a", "failed", error="Out of memory.", cause="memory", process=GONE, **reached)
    assert enqueue(run, settings).new
    status = run.status()
    assert status is not None
    assert {name: getattr(status, name) for name in reached} == reached
    assert (status.state, status.error, status.cause, status.process) == ("queued", None, None, None)
    assert not enqueue(run, settings).new


@pytest.mark.parametrize("state", ["completed", "running", "stopping"])
def test_nothing_to_resume(state: str, settings: Settings, make: Callable[..., Run]) -> None:
    run = make("a", state, process=ProcessIdentity.current())
    with pytest.raises(InputError, match=r"^a is "):
        enqueue(run, settings)
    assert run.state() == state


def test_a_lost_run_and_one_with_a_torn_status_can_be_resumed(settings: Settings, make: Callable[..., Run]) -> None:
    assert enqueue(make("lost", "running", process=GONE), settings).new
    torn = make("torn")
    (torn.folder / "status.json").write_text('{"state": "run')
    assert enqueue(torn, settings).new
    assert [entry.run.id for entry in entries(settings)] == ["lost", "torn"]


def test_a_damaged_run_in_the_store_is_passed_over(settings: Settings, make: Callable[..., Run]) -> None:
    make("good", "queued")
    bad = make("bad", "queued")
    (bad.folder / "run.json").write_text(json.dumps([1]))
    assert [entry.run.id for entry in entries(settings)] == ["good"]


def test_a_queue_that_is_kept_is_said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.05)
    with locked(settings), ThreadPoolExecutor(1) as pool:
        error = pool.submit(submit, SMOKE, settings).exception()
    assert isinstance(error, RunError) and "keeps the queue" in str(error)


def test_a_store_that_cannot_be_written_is_said(settings: Settings) -> None:
    settings.reports.parent.mkdir(exist_ok=True)
    settings.reports.write_text("a file")
    with pytest.raises(RunError, match="cannot be written"):
        submit(SMOKE, settings)
