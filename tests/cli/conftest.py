"""Runs a command in this process and tells what it printed."""

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from medqa_core.cli.app import main
from medqa_core.foundation.settings import Settings
from medqa_core.report import writer
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore


@dataclass(frozen=True)
class Said:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as strict JSON."""
        return json.loads(self.out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))

    @property
    def error(self) -> str:
        """The one line on standard error."""
        assert self.err.startswith("error: "), self.err
        assert self.err.count("\n") == 1, self.err
        assert self.out == ""
        return self.err.removeprefix("error: ").rstrip("\n")


@pytest.fixture
def cli(in_lab: Settings, no_network: None, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Said]]:
    """`cli("runs", "--json")` on the lab's store."""

    def run(*arguments: str) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, said.out, said.err)

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def folder(smoke: Run, cli: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the smoke run in a store of the test's own."""
    copy = tmp_path / "reports" / "smoke"
    shutil.copytree(smoke.folder, copy)
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    return copy


@pytest.fixture
def written_up(folder: Path) -> Path:
    """The same with a write-up of its own."""
    writer.write(RunStore(folder.parent).open("smoke"))
    return folder
