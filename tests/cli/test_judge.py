"""`judge` on the command line: nothing is sent unasked, what is sent is said, and the result is written up."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medqa_core.cli.app import main
from medqa_core.foundation.settings import Settings
from medqa_core.runs.artifacts.manifest import check_manifest
from medqa_core.runs.run import Run
from tests.support.judge_server import JudgeServer, judging, says

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(smoke: Run, in_lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "reports" / "smoke"
    shutil.copytree(smoke.folder, copy)
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    return copy


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command in this process, with a network: the judge is on this machine."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def use(server: JudgeServer, monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
    for name, value in {"MEDQA_JUDGE": server.address, "MEDQA_JUDGE_MODEL": "judge-1", **more}.items():
        monkeypatch.setenv(name, value)


def test_nothing_is_sent_without_yes(folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with judging(lambda _: says("tie")) as server:
        use(server, monkeypatch)
        code, out, _ = cli("judge", "smoke", "--questions", "3")
    assert code == 0 and server.paths == [] and not (folder / "judge.json").exists()
    assert "judges 3 questions in both orders: 6 requests of about" in out
    assert "go to that address. Nothing was sent. To send it: --yes" in out


def test_asked_shown_kept_and_written_up(folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with judging(lambda _: says("tie"), key="k") as server:
        use(server, monkeypatch, MEDQA_JUDGE_KEY="k")
        code, out, err = cli("judge", "smoke", "--yes")
        assert (code, err) == (0, "")
    assert "The judge model judge-1" in out and "No blind vote bears this out" in out
    assert check_manifest(folder) == []
    assert "The judge model judge-1" in (folder / "summary.md").read_text(encoding="utf-8")
    assert '"k"' not in (folder / "judge.json").read_text()


def test_what_cannot_be_asked_is_one_line(folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = cli("judge", "smoke")
    assert code == 2 and "MEDQA_JUDGE: no judge model is set" in err
    with judging(lambda _: "", model="other") as server:
        use(server, monkeypatch)
        code, _, err = cli("judge", "smoke", "--yes")
    assert code == 1 and "knows no model 'judge-1'" in err and len(err.splitlines()) == 1
