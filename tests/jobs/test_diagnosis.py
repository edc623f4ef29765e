"""Why a run ended: the cause, what is left, what to do, and the sentences about it."""

import shutil
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from medqa_core.foundation.errors import shorten
from medqa_core.jobs import explanation
from medqa_core.jobs.diagnosis import diagnose, saved_progress
from medqa_core.jobs.explanation import happened, kept
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import CPU_TOKENS_PER_FORWARD
from medqa_core.runs.schema.presets import command_line, from_preset
from medqa_core.runs.schema.status import Memory, ProcessIdentity, boot_id
from tests.support.runs import GONE

Make = Callable[..., Run]
KILLED = ProcessIdentity(pid=2**22 - 1, created=1.0, boot=boot_id())
GIB = 2**30
ROOMY = Memory(used=GIB, peak=GIB, total=16 * GIB, available=12 * GIB)
TIGHT = Memory(used=15 * GIB, peak=15 * GIB, total=16 * GIB, available=GIB // 4)


@pytest.mark.parametrize(
    ("status", "log", "cause", "words"),
    [
        ({"process": GONE}, "", "killed", "switched off or restarted"),
        ({"process": KILLED, "memory": TIGHT}, "", "memory", "ran out of memory: 0.2 of 16 GiB were left"),
        ({"process": KILLED, "memory": ROOMY}, "", "killed", "at step 7, as when it is killed from outside"),
        ({"process": KILLED}, "", "killed", "as when it is killed"),
        ({"process": KILLED}, "MemoryError", "memory", "ran out of memory."),
        ({"process": KILLED, "memory": ROOMY}, "OSError: [Errno 28] No space left on device", "disk", "disk is full"),
    ],
)
def test_a_lost_run(status: dict[str, Any], log: str, cause: str, words: str, make: Make) -> None:
    run = make("a", "running", step=7, total_steps=12, **status)
    (run.folder / "train.log").write_text(f"started\n{log}\n")
    found = diagnose(run)
    assert found is not None
    assert (found.cause, found.resumable) == (cause, True)
    assert explanation.resume_command(run) == "medqa train --resume a"
    assert words in happened(found)
    assert "Loss curve saved up to step 7" in kept(found.progress)


def test_a_full_disk(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10 * 2**20))
    found = diagnose(make("a", "running", process=KILLED))
    assert found is not None
    assert (found.cause, kept(found.progress)) == ("disk", "It had not trained a step yet, so no work is lost.")
    assert explanation.remedy(found).startswith("Free some space")


@pytest.mark.parametrize(
    ("error", "cause", "log", "found"),
    [
        ("The disk is full.", "disk", "", "disk"),
        ("RuntimeError: can't allocate memory", None, "", "memory"),
        (None, None, "Killed\n", "killed"),
        (None, None, "quiet\n", "fault"),
        ("MedQuAD is not in reach.", "data", "", "data"),
        ("ValueError: what", "fault", "No space left on device", "fault"),
    ],
)
def test_a_failed_run(error: str | None, cause: str | None, log: str, found: str, make: Make) -> None:
    run = make("a", "failed", error=error, cause=cause, step=3)
    (run.folder / "train.log").write_text(log)
    told = diagnose(run)
    assert told is not None
    assert (told.cause, told.resumable) == (found, True)
    assert happened(told) == error or error is None
    assert happened(told).endswith((".", "memory", "what"))


def test_what_would_end_the_same_way_is_restarted_with_other_settings(make: Make) -> None:
    found = diagnose(make("a", "failed", error="The training loss was nan at step 5.", cause="nan", step=5))
    assert found is not None
    assert not found.resumable
    assert found.suggested == from_preset("smoke", {"learning_rate": 0.0017})
    assert command_line(found.suggested) == "medqa train --preset smoke --set learning_rate=0.0017"
    found = diagnose(make("b", "failed", error="max_tokens: 9 is more than 8.", cause="input"))
    assert found is not None
    assert (found.resumable, found.suggested) == (False, from_preset("smoke"))


def test_less_memory_without_another_result(make: Make) -> None:
    found = diagnose(make("a", "failed", error="Out of memory.", cause="memory"))
    assert found is not None and found.suggested is not None and found.resumable
    assert found.suggested.max_tokens_per_forward == CPU_TOKENS_PER_FORWARD // 2
    assert found.suggested.model_copy(update={"max_tokens_per_forward": None}) == from_preset("smoke")


def test_the_newest_checkpoint_is_named(make: Make) -> None:
    run = make("a", "failed", step=9)
    for name in ("step-00000004", "step-00000008", ".step-00000009.x.tmp", "step-x"):
        (run.folder / "checkpoints" / name).mkdir(parents=True)
    status = run.status()
    assert status is not None
    assert kept(saved_progress(run, status)) == "Loss curve saved; last checkpoint at step 8."


@pytest.mark.parametrize("state", ["queued", "stopped", "completed"])
def test_others_need_no_diagnosis(state: str, make: Make) -> None:
    assert diagnose(make("a", state)) is None


def test_words_that_a_clinician_understands(make: Make) -> None:
    for cause in ("memory", "disk", "killed", "nan", "data", "input", "fault"):
        found = diagnose(make(cause, "failed", cause=cause))
        assert found is not None
        said = f"{happened(found)} {kept(found.progress)} {explanation.remedy(found)}"
        assert not any(word in said for word in ("SIGKILL", "OOM", "errno", "traceback", "process id")), said
        assert len(shorten(said, 600)) < 600
