"""What the Runs page starts is written down and not started."""

from pathlib import Path

import pytest

from medqa_core.foundation.settings import Settings
from medqa_core.jobs import launch
from medqa_core.jobs.task import TaskEntry


@pytest.fixture(autouse=True)
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks and runs for which a worker would have been started."""
    found: list[str] = []
    monkeypatch.setenv("MEDQA_CACHE", str(tmp_path / "cache"))
    for name in ("MEDQA_PUBLIC", "MEDQA_JUDGE"):
        monkeypatch.delenv(name, raising=False)

    def start(entry: TaskEntry, settings: Settings) -> None:
        found.append(f"{entry.task.kind} {entry.task.run}")

    monkeypatch.setattr(launch, "_start_task", start)
    return found
