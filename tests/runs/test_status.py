"""A reader calls a run lost where the process that claims to work on it is gone."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from medqa_core.runs.status import LIVE, ProcessIdentity, Status, boot_id, derived_state, now


@pytest.mark.parametrize("state", sorted(LIVE))
def test_a_live_worker_is_believed(state: str):
    assert derived_state(Status(state=state, process=ProcessIdentity.current())) == state


@pytest.mark.parametrize("state", ["queued", "stopped", "completed", "failed"])
def test_a_state_that_needs_no_process_is_believed(state: str):
    assert derived_state(Status(state=state)) == state


def test_no_identity_is_lost():
    assert derived_state(Status(state="running")) == "lost"


def test_a_number_that_went_to_another_process_is_lost():
    me = ProcessIdentity.current()
    earlier = me.model_copy(update={"created": me.created - 100})
    assert derived_state(Status(state="running", process=earlier)) == "lost"


def test_a_process_of_before_the_restart_is_lost():
    before = ProcessIdentity.current().model_copy(update={"boot": "another"})
    assert derived_state(Status(state="running", process=before)) == "lost"


@pytest.mark.parametrize("pid", [2**22 + 1, 2**31, 2**63, 10**30])
def test_a_number_that_no_process_has_is_lost(pid: int):
    identity = ProcessIdentity(pid=pid, created=0.0, boot=boot_id())
    assert derived_state(Status(state="running", process=identity)) == "lost"


def test_a_zombie_is_lost():
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


def test_a_status_survives_json():
    status = Status(state="running", process=ProcessIdentity.current(), heartbeat=now(), step=3)
    assert Status.model_validate_json(status.model_dump_json()) == status
