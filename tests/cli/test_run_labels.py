"""`runs rename`, `tag`, `note`, `archive`, `delete`, `restore`, `bin` on a store of the test's own."""

from pathlib import Path

import pytest

from medqa_core.runs.artifacts.labels import LABELS
from tests.support.commands import Command
from tests.support.runs import RunBuilder
from tests.support.scenarios import STORED


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunBuilder:
    """Two runs, `a` and `b`."""
    (tmp_path / "reports").mkdir()
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    build = RunBuilder(tmp_path / "reports", STORED)
    build.finished("a")
    build.finished("b")
    return build


def ids(cli: Command, *options: str) -> set[str]:
    return {entry["id"] for entry in cli("runs", "--json", *options).json}


def test_labels(cli: Command, store: RunBuilder) -> None:
    assert cli("runs", "rename", "a", "A better name").out == "a: title 'A better name'.\n"
    assert cli("runs", "tag", "a", "LoRA", "baseline", "--json").json["tags"] == ["baseline", "LoRA"]
    assert cli("runs", "tag", "a", "lora", "--remove", "--json").json["tags"] == ["baseline"]
    assert cli("runs", "note", "a", "Keep it.", "--json").json["note"] == "Keep it."
    assert ids(cli, "--find", "baseline") == {"a"} and ids(cli, "--find", "better") == {"a"}
    assert cli("runs", "rename", "a", "").out.startswith("a: its own title, tags baseline")


def test_archived_runs_are_listed_when_asked_for(cli: Command, store: RunBuilder) -> None:
    cli("runs", "archive", "a")
    assert ids(cli) == {"b"} and ids(cli, "--archived") == {"a", "b"}
    cli("runs", "archive", "a", "--undo")
    assert ids(cli) == {"a", "b"}


def test_delete_and_restore(cli: Command, store: RunBuilder) -> None:
    assert "only with --yes" in cli("runs", "delete", "a").error and ids(cli) == {"a", "b"}
    assert "runs restore a" in cli("runs", "delete", "a", "--yes").out
    assert ids(cli) == {"b"} and cli("runs", "bin", "--json").json["runs"][0]["run"] == "a"
    assert cli("runs", "restore", "a").out == "a is back.\n" and ids(cli) == {"a", "b"}
    cli("runs", "delete", "a", "--yes")
    assert cli("runs", "bin", "--empty").out == "1 run removed for good.\nThe bin is empty.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rename", "nowhere", "x"), "No run called 'nowhere'"),
        (("tag", "a", "x,y"), "no comma"),
        (("note", "a", "x" * 2001), "note: "),
        (("delete", "../a", "--yes"), "not valid"),
        (("restore", "a"), "not in the bin"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], said: str, cli: Command, store: RunBuilder) -> None:
    found = cli("runs", *arguments)
    assert found.code == 2 and said in found.error
    assert not (store.folder / "a" / LABELS).exists()
