"""`evaluate --int8-cost` on the command line: measures what int8 costs and touches nothing else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from medqa_core.report import writer
from medqa_core.runs.int8 import INT8, Int8Cost, read_int8
from medqa_core.runs.manifest import check_manifest
from medqa_core.runs.run import Run
from medqa_core.runs.store import RunStore

from .conftest import Said

Cli = Callable[..., Said]


@pytest.fixture
def folder(smoke: Run, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A written-up copy of the smoke run in a store of the test's own."""
    copy = tmp_path / "reports" / "smoke"
    shutil.copytree(smoke.folder, copy)
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    writer.write(RunStore(copy.parent).open("smoke"))
    return copy


def test_what_int8_costs(cli: Cli, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".json", ".parquet")}
    said = cli("evaluate", "smoke", "--int8-cost", "--json")
    assert (said.code, said.err) == (0, "")
    cost = Int8Cost.model_validate(said.json)
    assert cost == read_int8(folder)
    assert cost.questions > 0
    assert all((folder / name).read_bytes() == before[name] for name in ("evaluation.json", "predictions.parquet"))
    assert check_manifest(folder) == []  # written anew, with the new file in it
    assert INT8 in json.loads((folder / "manifest.json").read_text())["files"]
    shown = cli("evaluate", "smoke", "--int8-cost")
    assert (shown.code, shown.out.splitlines()) == (0, [cost.sentence()])


def test_of_an_imported_run(cli: Cli, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs.json").write_text(
        json.dumps({"results": {"mmlu_anatomy": {"acc,none": 0.3, "acc_stderr,none": 0.04}}, "config": {}})
    )
    assert cli("import", str(tmp_path / "theirs.json"), "--run-id", "theirs").code == 0
    said = cli("evaluate", "theirs", "--int8-cost", "--json")
    assert said.code == 2
    assert "theirs is an imported run" in said.error
    assert not (folder.parent / "theirs" / INT8).exists()


@pytest.mark.parametrize("run", ["none", "../smoke"])
def test_of_no_run(cli: Cli, folder: Path, run: str) -> None:
    said = cli("evaluate", run, "--int8-cost")
    assert said.code == 2
    assert said.error
