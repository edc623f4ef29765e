"""Runs a command in this process and tells what it printed."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from medqa_core.cli.app import main
from medqa_core.foundation.settings import Settings
from medqa_core.report import writer
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.commands import Command, Said
from tests.support.hub_server import TOKEN, Hub, serving


@pytest.fixture
def online(in_lab: Settings, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """`online("judge", "smoke")` on the lab's store, with a network: what is asked is a server of the test's own."""

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
def cli(online: Command, no_network: None) -> Command:
    """`cli("runs", "--json")` on the lab's store, without a network."""
    return online


@pytest.fixture
def hub() -> Iterator[Hub]:
    """An empty model hub on 127.0.0.1."""
    with serving({}) as running:
        yield running


@pytest.fixture
def medqa(online: Command, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command in this process, whose hub is the test's; the hub's client has read the environment already."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf-hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # its storage is a service of its own
    return online


@pytest.fixture
def folder(smoke: Run, in_lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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
