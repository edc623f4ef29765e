"""A reader calls a run lost where the process that claims to work on it is gone."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from medqa_core.runs.schema.status import LIVE, ProcessIdentity, Status, boot_id, derived_state, now, overdue


@pytest.mark.parametrize("state", sorted(LIVE))
def test_a_live_worker_is_believed(state: str) -> None:
    assert derived_state(Status(state=state, process=ProcessIdentity.current())) == state


@pytest.mark.parametrize("state", ["queued", "stopped", "completed", "failed"])
def test_a_state_that_needs_no_process_is_believed(state: str) -> None:
    assert derived_state(Status(state=state)) == state


def test_no_identity_is_lost() -> None:
    assert derived_state(Status(state="running")) == "lost"


@pytest.mark.parametrize("counted", [True, False], ids=["ticks", "no ticks"])
def test_a_number_that_went_to_another_process_is_lost(counted: bool) -> None:
    me = ProcessIdentity.current()
    ticks = me.ticks - 10_000 if counted and me.ticks is not None else None
    earlier = me.model_copy(update={"created": me.created - 100, "ticks": ticks})
    assert derived_state(Status(state="running", process=earlier)) == "lost"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux counts ticks")
def test_a_clock_that_is_set_loses_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel tells a process's start by the clock as it stands: a day later, all were started a day later."""
    before = ProcessIdentity.current()
    boot_time = psutil.boot_time()
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: boot_time + 86_400)
    assert abs(psutil.Process().create_time() - before.created) > 80_000
    assert derived_state(Status(state="running", process=before)) == "running"


BEAT = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "seconds", "late"),
    [
        ("running", 0, False),
        ("running", 65, False),
        ("running", 66, True),
        ("stopping", 66, True),
        ("running", -3, False),  # the clock was corrected a little
        ("running", -86_400, True),
        ("completed", 66, False),
        ("queued", 66, False),
    ],
)
def test_a_worker_that_is_silent_for_longer_than_it_promised(state: str, seconds: int, late: bool) -> None:
    status = Status(state=state, heartbeat=BEAT, next_heartbeat=BEAT + timedelta(seconds=65))
    assert overdue(status, BEAT + timedelta(seconds=seconds)) is late


def test_who_promised_nothing_is_not_late() -> None:
    assert not overdue(Status(state="running"), BEAT)


def test_a_process_of_before_the_restart_is_lost() -> None:
    before = ProcessIdentity.current().model_copy(update={"boot": "another"})
    assert derived_state(Status(state="running", process=before)) == "lost"


@pytest.mark.parametrize("pid", [2**22 + 1, 2**31, 2**63, 10**30])
def test_a_number_that_no_process_has_is_lost(pid: int) -> None:
    identity = ProcessIdentity(pid=pid, created=0.0, boot=boot_id())
    assert derived_state(Status(state="running", process=identity)) == "lost"


def test_a_zombie_is_lost() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        process = psutil.Process(child.pid)
        identity = ProcessIdentity(pid=child.pid, created=process.create_time(), boot=boot_id())
        status = Status(state="running", process=identity)
        assert derived_state(status) == "running"
        child.kill()
        until = time.monotonic() + 10
        while process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(child.pid, 0)  # by this test it would still be alive
        assert derived_state(status) == "lost"
    finally:
        child.kill()
        child.communicate()
    assert derived_state(status) == "lost"


def test_a_status_survives_json() -> None:
    status = Status(state="running", process=ProcessIdentity.current(), heartbeat=now(), step=3)
    assert Status.model_validate_json(status.model_dump_json()) == status
