"""What a task's process leaves in its status."""

import errno
import json
from pathlib import Path

import pytest

from medqa_core.foundation.settings import Settings
from medqa_core.jobs.task import read_entry
from medqa_core.jobs.tasks import submit_task
from medqa_core.report import writer
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.commands import Command


def test_a_run_that_was_imported_is_named_though_its_report_could_not_be_written(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = {"results": {"mmlu_anatomy": {"acc,none": 0.3, "acc_stderr,none": 0.04}}, "config": {}}
    (tmp_path / "theirs.json").write_text(json.dumps(theirs))
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    settings = Settings.from_environment()
    entry = submit_task("import", None, settings, {"path": str(tmp_path / "theirs.json")}).entry

    def no_room(run: Run) -> list[Path]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer, "write", no_room)
    assert cli("task", entry.task.id).code == 1
    found = read_entry(entry.folder)
    assert found is not None and found.state == "failed" and found.status.run is not None
    assert RunStore(settings.reports).open(found.status.run).record.kind == "imported"
