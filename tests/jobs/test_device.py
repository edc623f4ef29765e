"""One at a time on a device, whatever dies."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.jobs import device
from medqa_core.jobs.device import DeviceBusy, Work, hold, holder, is_taken, work
from medqa_core.jobs.task import TaskStatus, write_task_status
from medqa_core.jobs.tasks import submit_task
from medqa_core.runs.schema.status import ProcessIdentity
from tests.support.jobs import until

HOLDS = f"""
import sys, time; sys.path.insert(0, {str(PACKAGE_ROOT)!r})
from pathlib import Path
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.device import hold
with hold(Settings(Path("x"), Path(sys.argv[1]), None, None, False), "theirs"):
    time.sleep(60)
"""


@pytest.fixture
def other(settings: Settings) -> "Iterator[subprocess.Popen[bytes]]":
    """Another process that holds the device for the run `theirs`."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(settings.cache)])
    until(lambda: is_taken(settings) and holder(settings))
    yield process
    process.kill()
    process.wait()


def test_held_and_given_back(settings: Settings) -> None:
    assert not is_taken(settings)
    with hold(settings, "mine") as held:
        assert is_taken(settings)
        held.update("evaluating", "mine")
        found = holder(settings)
        assert found is not None and (found.doing, found.run) == ("evaluating", "mine")
    assert not is_taken(settings)
    assert holder(settings) is None


def test_refused_in_one_line_that_names_the_other(settings: Settings, other: object) -> None:
    with pytest.raises(DeviceBusy, match=r"busy fine-tuning theirs.*--background"), hold(settings, "mine"):
        pytest.fail("two hold the device")


def test_a_killed_holder_holds_nothing(settings: Settings, other: "subprocess.Popen[bytes]") -> None:
    other.kill()
    other.wait()
    assert not is_taken(settings)
    assert holder(settings) is None
    with hold(settings, "mine"):
        pass


def test_a_worker_waits(settings: Settings, other: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "PATIENCE", 0.1)
    waiting, got = threading.Event(), threading.Event()

    def wait() -> None:
        with hold(settings, "mine", waiting=waiting.set):
            got.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert waiting.wait(5)
    assert not got.is_set()
    other.kill()
    other.wait()
    thread.join(10)
    assert got.is_set()


def test_each_device_has_a_lock_of_its_own(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with hold(settings, "mine"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "../1, 2")
        assert not is_taken(settings)
        with hold(settings, "other"):
            pass
    assert {path.name for path in (settings.cache / "locks").iterdir()} == {"default.lock", "1-2.lock"}


def test_a_torn_note_of_the_holder_is_no_holder(settings: Settings) -> None:
    with hold(settings, "mine"):
        (settings.cache / "locks" / "default.lock").write_text('{"doing": "tr')
        assert holder(settings) is None
        assert is_taken(settings)


def test_what_keeps_the_device_busy_is_named(settings: Settings) -> None:
    assert work(settings) is None
    with hold(settings, "mine", doing="mmlu"):
        assert str(work(settings)) == "measuring MMLU of mine"
    with hold(settings, None, doing="measuring"):
        assert str(work(settings)) == "estimating time and memory"
    with hold(settings, None):
        assert str(work(settings)) == "fine-tuning a run"
    entry = submit_task("import", None, settings, {"path": "/somewhere"}).entry
    write_task_status(entry.folder, TaskStatus(state="running", process=ProcessIdentity.current()))
    assert str(work(settings)) == "importing somewhere"
    assert str(Work()) == "with work that does not say what it is"
    assert str(Work("task", "mine")) == "working on mine"  # type: ignore[arg-type]  # as version 0.2 wrote it
