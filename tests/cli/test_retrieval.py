"""`retrieval` on the command line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from medqa_core.runs.artifacts.manifest import check_manifest
from medqa_core.runs.artifacts.retrieval import read_retrieval
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.commands import Said
from tests.support.runs import record

Cli = Callable[..., Said]


@pytest.fixture
def run(smoke: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Run:
    """A copy of the smoke run in a store of its own."""
    shutil.copytree(smoke.folder, tmp_path / "reports" / "smoke", ignore=shutil.ignore_patterns("checkpoints"))
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    return RunStore(tmp_path / "reports").open("smoke")


def test_measured_shown_and_kept(run: Run, cli: Cli) -> None:
    said = cli("retrieval", "smoke", "--json")
    assert (said.code, said.err) == (0, "")
    kept = read_retrieval(run.folder).value
    assert kept is not None
    assert said.json == kept.model_dump(mode="json")
    assert check_manifest(run.folder) == []  # written up again

    said = cli("retrieval", "smoke")
    assert said.code == 0
    head, names, sizes, *rows = said.out.splitlines()
    assert head.startswith(f"{kept.questions} test questions; BM25")
    assert names.split() == ["first", "known", "item", "support", "support", "by", "chance"]
    assert sizes.split().count("passages") == 3
    assert [row.split()[0] for row in rows] == ["1", "3", "5", "10"]
    assert len(set(map(len, (names, sizes, *rows)))) == 1  # in columns


def test_what_cannot_be_measured_is_one_line(run: Run, cli: Cli) -> None:
    imported = record("imported", kind="imported", config=None, imported={"format": "summary", "source": "a.txt"})
    RunStore(run.folder.parent).create(imported)
    said = cli("retrieval", "imported")
    assert said.code == 2
    assert said.error == "imported is an imported run: what it was trained on is not known here."
    assert cli("retrieval", "nowhere").code != 0
    assert cli("retrieval").code == 2
