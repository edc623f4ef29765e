"""A run that another machine trains: believed while its heartbeat is not overdue, and never signalled from here."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from medqa_core.answering.admission import Admission
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import launch
from medqa_core.jobs.diagnosis import diagnose
from medqa_core.jobs.explanation import happened
from medqa_core.jobs.queue import submit, write_status
from medqa_core.jobs.stop import stop
from medqa_core.runs.artifacts import stop_request
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.status import ProcessIdentity, Status, derived_state, now
from medqa_core.runs.store.run_store import RunStore

FAR = ProcessIdentity(pid=1, created=0.0, boot="theirs", host="node-7")


def status(seconds: float, process: ProcessIdentity = FAR) -> Status:
    """A running status whose next heartbeat is due in so many seconds."""
    moment = now()
    due = moment + timedelta(seconds=seconds)
    return Status(state="running", process=process, started_at=moment, heartbeat=moment, next_heartbeat=due, step=3)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "reports", tmp_path / "cache", None, None, False)


def made(settings: Settings, found: Status) -> Run:
    store = RunStore(settings.reports)
    return store.create(store.new_record(from_preset("smoke"), "far"), lambda folder: write_status(folder, found))


def test_it_runs_while_its_promise_holds() -> None:
    assert derived_state(status(60)) == "running"
    assert derived_state(status(-5)) == "lost"
    assert derived_state(status(60).model_copy(update={"next_heartbeat": None})) == "lost"


def test_a_process_of_this_machine_is_looked_at_whatever_it_promised() -> None:
    me = ProcessIdentity.current()
    assert derived_state(status(-5, me)) == "running"
    assert derived_state(status(60, me.model_copy(update={"boot": "before"}))) == "lost"


def test_a_status_without_a_host_is_read_as_before() -> None:
    older = ProcessIdentity.model_validate({"pid": 1, "created": 0.0, "boot": "theirs"})
    assert derived_state(status(60, older)) == "lost"


def test_stop_asks_by_a_file_and_signals_nobody(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    signalled: list[object] = []
    monkeypatch.setattr("psutil.Process.send_signal", lambda *call: signalled.append(call))
    run = made(settings, status(60))
    assert "node-7" in stop(run, settings)
    assert stop_request.asked(run.folder)
    assert signalled == []


def test_it_cannot_be_killed_from_here(settings: Settings) -> None:
    run = made(settings, status(60))
    with pytest.raises(InputError, match="being trained on node-7"):
        stop(run, settings, force=True)
    assert not stop_request.asked(run.folder)


def test_a_lost_one_has_nothing_to_stop_and_says_where_it_was(settings: Settings) -> None:
    run = made(settings, status(-5))
    with pytest.raises(InputError, match="nothing to stop"):
        stop(run, settings)
    found = diagnose(run)
    assert found is not None and "node-7" in happened(found)


def test_it_leaves_the_device_here_to_others(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(launch, "_start", lambda entry, _: started.append(entry.run.id))
    made(settings, status(60))
    submit(from_preset("smoke", {"seed": 1}), settings, run_id="here")
    assert launch.advance(settings) == ["here"]
    assert started == ["here"]


def test_it_keeps_no_visitor_here_waiting(settings: Settings) -> None:
    made(settings, status(60))
    Admission(replace(settings, public=True), RunStore(settings.reports)).admit("198.51.100.7")
