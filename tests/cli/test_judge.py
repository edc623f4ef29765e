"""`judge` on the command line: nothing is sent unasked, what is sent is said, and the result is written up."""

from pathlib import Path
from typing import Any

import pytest

from medqa_core.runs.artifacts.manifest import check_manifest
from tests.support.commands import Command
from tests.support.judge_server import JudgeServer, judging, says


def use(server: JudgeServer, monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
    for name, value in {"MEDQA_JUDGE": server.address, "MEDQA_JUDGE_MODEL": "judge-1", **more}.items():
        monkeypatch.setenv(name, value)


def test_nothing_is_sent_without_yes(folder: Path, online: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with judging(lambda _: says("tie")) as server:
        use(server, monkeypatch)
        said = online("judge", "smoke", "--questions", "3")
    assert said.code == 0 and server.paths == [] and not (folder / "judge.json").exists()
    assert "judges 3 questions in both orders: 6 requests of about" in said.out
    assert "go to that address. Nothing was sent. To send it: --yes" in said.out


def test_asked_shown_kept_and_written_up(folder: Path, online: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with judging(lambda _: says("tie"), key="k") as server:
        use(server, monkeypatch, MEDQA_JUDGE_KEY="k")
        said = online("judge", "smoke", "--yes")
        assert (said.code, said.err) == (0, "")
    assert "The judge model judge-1" in said.out and "No blind vote supports this" in said.out
    assert check_manifest(folder) == []
    assert "The judge model judge-1" in (folder / "summary.md").read_text(encoding="utf-8")
    assert '"k"' not in (folder / "judge.json").read_text()


def test_what_cannot_be_asked_is_one_line(folder: Path, online: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    said = online("judge", "smoke")
    assert said.code == 2 and "MEDQA_JUDGE: no judge model is set" in said.err
    with judging(lambda _: "", model="other") as server:
        use(server, monkeypatch)
        said = online("judge", "smoke", "--yes")
    assert said.code == 1 and "knows no model 'judge-1'" in said.err and len(said.err.splitlines()) == 1
