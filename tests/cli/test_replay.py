"""`replay` on the command line."""

import json
import shutil

import pytest

from medqa_core.cli.app import main
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run


def called(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["replay", *arguments])
    said = capsys.readouterr()
    return int(caught.value.code or 0), said.out, said.err


def test_the_same_losses(smoke: Run, in_lab: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = called(capsys, "smoke", "--steps", "2")
    assert code == 0
    assert [line.split()[-1] for line in out.splitlines()] == ["same", "same"]
    code, out, _ = called(capsys, "smoke", "--steps", "1", "--json")
    assert (code, json.loads(out)["same"]) == (0, True)


def test_other_losses(smoke: Run, in_lab: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    copy = in_lab.reports / "changed"
    shutil.copytree(smoke.folder, copy)
    metrics = copy / "metrics.jsonl"
    metrics.write_text(metrics.read_text().replace('"loss": 6', '"loss": 7'))
    code, out, err = called(capsys, "changed", "--steps", "2")
    shutil.rmtree(copy)
    assert code == 1
    assert out.count("DIFFERENT") == 2
    assert err.startswith("error: 2 of 2 losses differ, by up to 1. changed was trained with torch")


@pytest.mark.parametrize("arguments", [("smoke", "--steps", "0"), ("none",), ("../x",)])
@pytest.mark.usefixtures("smoke", "in_lab")
def test_bad_input(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, out, err = called(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
