"""Tasks share the queue with runs, survive the page, say how far they are and why they failed."""

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest

from medqa_core.foundation.errors import InputError, RunNotFound
from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.jobs import launch, remove, tasks
from medqa_core.jobs.device import hold
from medqa_core.jobs.explanation import ended_task, what_is_left
from medqa_core.jobs.launch import MOST_LAUNCHES, advance
from medqa_core.jobs.queue import store_of, submit
from medqa_core.jobs.stop import stop
from medqa_core.jobs.task import TaskEntry, TaskStatus, all_tasks, read_entry, write_task_status
from medqa_core.jobs.task_worker import working
from medqa_core.jobs.tasks import active_tasks, forget_task, latest_task, stop_task, submit_task
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.status import ProcessIdentity
from tests.support.jobs import until
from tests.support.runs import GONE

Make = Callable[..., Run]
WORKS = f"""
import sys, time; sys.path.insert(0, {str(PACKAGE_ROOT)!r})
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.task_worker import working
from medqa_core.cli.signals import ending
with working(sys.argv[1], Settings.from_environment()) as progress, ending():
    progress("answers", 3, 12)
    time.sleep(60)
"""
"""A task's process that says that it works."""


@pytest.fixture
def works(worker: Callable[[str], list[int]], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From now on tasks are done by `WORKS`; the processes that were started."""
    monkeypatch.setattr(launch, "task_command", lambda task_id: [sys.executable, "-c", WORKS, task_id])
    return worker("import time; time.sleep(60)")


def ask(settings: Settings, run: Run, kind: str = "retrieval") -> TaskEntry:
    return submit_task(kind, run.id, settings).entry  # type: ignore[arg-type]


def state(entry: TaskEntry) -> str:
    found = read_entry(entry.folder)
    assert found is not None
    return found.state


def test_a_task_is_done_in_a_process_of_its_own(settings: Settings, make: Make, works: list[int]) -> None:
    entry = ask(settings, make(state="completed"))
    assert advance(settings) == [entry.task.id]
    until(lambda: (found := read_entry(entry.folder)) and found.status.stage == "answers")
    found = read_entry(entry.folder)
    assert found is not None and (found.state, found.share) == ("running", 0.25)
    assert os.getsid(works[0]) == works[0], "the worker is in a session of its own"
    assert advance(settings) == [], "one at a time"
    said = stop_task(entry.task.id, settings)
    assert said.startswith("It is being stopped. What was measured so far is kept")
    until(lambda: state(entry) == "stopped")


def test_runs_and_tasks_take_turns_in_the_order_asked_for(
    settings: Settings, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(launch, "_start", lambda entry, settings: started.append(entry.run.id))
    monkeypatch.setattr(launch, "_start_task", lambda entry, settings: started.append(entry.task.kind))
    first = ask(settings, make(state="completed"))
    submit(from_preset("smoke", {"seed": 7}), settings, run_id="later")
    with hold(settings, "foreign"):
        assert advance(settings) == []
    assert advance(settings) == [first.task.id] and started == ["retrieval"]
    stop_task(first.task.id, settings)
    assert advance(settings) == ["later"] and started == ["retrieval", "later"]


def test_what_is_fetched_is_told_apart_by_its_name(settings: Settings) -> None:
    first, other = (submit_task("fetch", None, settings, {"name": name}).entry for name in ("medquad", "some/one"))
    assert not submit_task("fetch", None, settings, {"name": "medquad"}).new
    found = latest_task(settings, "fetch", None, {"name": "medquad"})
    assert found is not None and found.task.id == first.task.id and found.task.doing == "fetching medquad"
    for entry, error in ((first, "The hub cannot be reached."), (other, None)):
        write_task_status(entry.folder, TaskStatus(state="failed" if error else "done", error=error))
    submit_task("fetch", None, settings, {"name": "medquad"})
    there = all_tasks(settings)
    assert [one.task.subject for one in there] == ["some/one", "medquad"], "only what it repeats is cleared away"
    assert ended_task(there[0])[1] == "some/one is in the cache: give `some/one` as the data set of a fine-tune."
    write_task_status(there[1].folder, TaskStatus(state="failed", error="The hub cannot be reached."))
    assert ended_task(latest_task(settings, "fetch", None, {"name": "medquad"}) or there[1]) == (
        "Fetching medquad: failed.", "The hub cannot be reached.", "Nothing was fetched.",
    )  # fmt: skip
    write_task_status(there[1].folder, TaskStatus(state="stopped"))
    assert ended_task(all_tasks(settings)[1]) == ("Fetching medquad: stopped.", "Nothing was fetched.")


def test_asked_for_twice_it_is_one(settings: Settings, make: Make) -> None:
    run = make(state="completed")
    first, second = ask(settings, run), submit_task("retrieval", run.id, settings)
    assert not second.new and second.entry.task.id == first.task.id
    assert submit_task("retrieval", make("b", "completed").id, settings).new


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_run_in_work_is_not_measured(state: str, settings: Settings, make: Make) -> None:
    process = ProcessIdentity.current() if state == "running" else None
    with pytest.raises(InputError, match="when its training has ended"):
        ask(settings, make(state=state, process=process))


def test_what_holds_no_model_is_not_evaluated(settings: Settings, make: Make) -> None:
    with pytest.raises(InputError, match="no fine-tuned model"):
        ask(settings, make(state="completed"), "evaluate")
    with pytest.raises(RunNotFound):
        submit_task("evaluate", "nowhere", settings)


def test_a_failure_is_said_with_what_to_do(settings: Settings, make: Make) -> None:
    entry = ask(settings, make(state="completed"))
    with pytest.raises(InputError), working(entry.task.id, settings) as progress:
        progress("search", 1, 4)
        raise InputError("The data set is not the one that the run was trained on; fetch it with `data fetch`.")
    found = latest_task(settings, "retrieval", "a")
    assert found is not None and found.state == "failed" and found.status.process is None
    title, why, what = ended_task(found)
    assert title == "Measuring the retrieval of a: failed." and "data fetch" in why and "continues from there" in what
    again = ask(settings, store_of(settings).open("a"))
    assert [one.task.id for one in all_tasks(settings)] == [again.task.id], "the failure that it repeats is gone"


def test_an_import_that_ends_after_its_run_is_there_says_so(settings: Settings) -> None:
    entry = submit_task("import", None, settings, {"path": "/some/model"}).entry
    with pytest.raises(KeyboardInterrupt), working(entry.task.id, settings) as progress:
        progress.made("model-2")
        now = read_entry(entry.folder)
        raise KeyboardInterrupt
    found = read_entry(entry.folder)
    assert now is not None and found is not None and found.state == "stopped"
    for one in (now, found):
        assert "model-2 was imported" in what_is_left(one)
    assert "model-2 was imported" in ended_task(found)[1]
    assert what_is_left(entry) == "Nothing was imported.", "before it was made"


def test_a_killed_one_is_lost_and_blocks_nothing(settings: Settings, make: Make, works: list[int]) -> None:
    entry = ask(settings, make(state="completed"))
    advance(settings)
    until(lambda: state(entry) == "running")
    os.kill(works[0], signal.SIGKILL)
    until(lambda: state(entry) == "lost")
    assert "exited unexpectedly" in ended_task(read_entry(entry.folder) or entry)[1]
    other = ask(settings, make("b", "completed"))
    advance(settings)
    until(lambda: state(other) == "running")
    forget_task(entry.task.id, settings)
    assert not entry.folder.exists()


def test_by_force_the_process_of_a_runs_task_is_killed(
    settings: Settings, make: Make, works: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = WORKS.replace("progress(", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); progress(")
    monkeypatch.setattr(launch, "task_command", lambda task_id: [sys.executable, "-c", deaf, task_id])
    run = make(state="completed")
    entry = ask(settings, run)
    advance(settings)
    until(lambda: (found := read_entry(entry.folder)) and found.status.stage == "answers")
    assert "It was force-stopped. What was measured so far is kept" in stop(run, settings, force=True)
    found = read_entry(entry.folder)
    assert found is not None and (found.state, found.status.process) == ("stopped", None)
    assert active_tasks(settings) == []


def test_one_that_never_begins_is_given_up(settings: Settings, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ask(settings, make(state="completed"))
    monkeypatch.setattr(launch, "_spawn", lambda *_: GONE)
    for _ in range(MOST_LAUNCHES):
        assert advance(settings) == [entry.task.id]
    assert advance(settings) == []
    assert state(entry) == "failed"


def test_a_run_with_a_task_is_not_deleted_and_stop_stops_it(settings: Settings, make: Make) -> None:
    run = make(state="completed")
    ask(settings, run)
    with pytest.raises(InputError, match="stop that first"):
        remove.delete(run.id, settings)
    assert "Taken out of the queue" in stop(run, settings)
    assert active_tasks(settings) == []
    remove.delete(run.id, settings)
    assert not run.folder.exists()


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_run_that_the_queue_holds_is_not_deleted(state: str, settings: Settings, make: Make) -> None:
    run = make(state=state, process=ProcessIdentity.current() if state == "running" else None)
    with pytest.raises(InputError, match="medqa stop a"):
        remove.delete(run.id, settings)
    assert run.folder.exists()


def test_a_run_whose_files_are_torn_is_deleted(settings: Settings, make: Make) -> None:
    run = make(state="completed")
    (run.folder / "run.json").write_text("{")
    remove.delete(run.id, settings)
    assert store_of(settings).list() == []


def test_a_run_that_holds_the_device_is_not_deleted(settings: Settings, make: Make) -> None:
    run = make(state="completed")
    with hold(settings, run.id, doing="mmlu"), pytest.raises(InputError, match="being worked on"):
        remove.delete(run.id, settings)


def test_torn_tasks_are_passed_over_and_old_ones_go(settings: Settings, make: Make) -> None:
    run = make(state="completed")
    entry = ask(settings, run)
    (entry.folder / "status.json").write_text("{")
    assert state(entry) == "failed"
    old = TaskStatus(state="done", finished_at=entry.task.submitted_at - tasks.KEPT - timedelta(seconds=5))
    write_task_status(entry.folder, old)
    ask(settings, make("b", "completed"))
    assert latest_task(settings, "retrieval", "a") is None
    broken = settings.reports / ".tasks" / "20260101T000000000000Z-mmlu-abcdef"
    broken.mkdir()
    (broken / "task.json").write_text("[]")
    assert [one.task.run for one in all_tasks(settings)] == ["b"]
    with pytest.raises(InputError, match="no such task"):
        stop_task("../../etc", settings)
