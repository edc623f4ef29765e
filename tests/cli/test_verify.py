"""`verify` on the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import Said

Cli = Callable[..., Said]


def test_a_run_as_it_was_written(cli: Cli, written_up: Path) -> None:
    said = cli("verify", "smoke")
    assert (said.code, said.err) == (0, "")
    words = {line[14:].split("  ")[0]: line[:14].strip() for line in said.out.splitlines()}
    assert words == {
        "manifest": "ok", "training record": "ok", "settings": "ok", "evaluation.json": "ok",
        "MMLU accuracies": "cannot check", "answer scores": "ok", "content and controls": "ok", "split": "ok",
        "write-ups": "ok", "weights": "ok", "base weights": "ok", "base answers": "ok", "validation loss": "ok",
        "test losses": "ok",
    }  # fmt: skip


def test_a_changed_run(cli: Cli, written_up: Path) -> None:
    evaluation = written_up / "evaluation.json"
    evaluation.write_text(evaluation.read_text().replace('"verdict": "cannot tell"', '"verdict": "worse"', 1))
    said = cli("verify", "smoke")
    assert said.code == 1
    assert said.err == "error: smoke: 3 of 14 checks fail: manifest, evaluation.json, write-ups.\n"
    assert "FAILS         manifest              evaluation.json was changed after" in said.out
    assert ".verdict: stated worse, recomputed cannot tell" in said.out
    told = cli("verify", "smoke", "--json")
    assert (told.code, told.json["run"], told.json["passed"]) == (1, "smoke", False)
    assert [check["name"] for check in told.json["checks"] if check["passed"] is False] == [
        "manifest",
        "evaluation.json",
        "write-ups",
    ]


@pytest.mark.parametrize("run", ["none", "../x"])
def test_bad_input(cli: Cli, written_up: Path, run: str) -> None:
    said = cli("verify", run)
    assert said.code == 2
    assert said.error
