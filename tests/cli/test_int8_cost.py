"""`evaluate --int8-cost` on the command line: measures what int8 costs and touches nothing else."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medqa_core.report.wording.int8 import sentence
from medqa_core.runs.artifacts.int8 import INT8, Int8Cost, read_int8
from medqa_core.runs.artifacts.manifest import check_manifest
from tests.support.commands import Said

Cli = Callable[..., Said]


def test_what_int8_costs(cli: Cli, written_up: Path) -> None:
    before = {path.name: path.read_bytes() for path in written_up.iterdir() if path.suffix in (".json", ".parquet")}
    said = cli("evaluate", "smoke", "--int8-cost", "--json")
    assert (said.code, said.err) == (0, "")
    cost = Int8Cost.model_validate(said.json)
    assert cost == read_int8(written_up).value
    assert cost.questions > 0
    assert all((written_up / name).read_bytes() == before[name] for name in ("evaluation.json", "predictions.parquet"))
    assert check_manifest(written_up) == []  # written anew, with the new file in it
    assert INT8 in json.loads((written_up / "manifest.json").read_text())["files"]
    shown = cli("evaluate", "smoke", "--int8-cost")
    assert (shown.code, shown.out.splitlines()) == (0, [sentence(cost)])


def test_of_an_imported_run(cli: Cli, written_up: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs.json").write_text(
        json.dumps({"results": {"mmlu_anatomy": {"acc,none": 0.3, "acc_stderr,none": 0.04}}, "config": {}})
    )
    assert cli("import", str(tmp_path / "theirs.json"), "--run-id", "theirs").code == 0
    said = cli("evaluate", "theirs", "--int8-cost", "--json")
    assert said.code == 2
    assert "theirs is an imported run" in said.error
    assert not (written_up.parent / "theirs" / INT8).exists()


@pytest.mark.parametrize("run", ["none", "../smoke"])
def test_of_no_run(cli: Cli, written_up: Path, run: str) -> None:
    said = cli("evaluate", run, "--int8-cost")
    assert said.code == 2
    assert said.error
