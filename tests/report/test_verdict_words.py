"""The verdicts of a list of runs are read once, kept in the cache, and never believed over the runs' files."""

import os
from pathlib import Path

import pytest

from medqa_core.report import verdict_words as module
from medqa_core.report.verdict_words import VerdictWords
from medqa_core.report.views.verdict import verdict_view
from medqa_core.runs.run import Run
from tests.support.runs import RunBuilder


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs whose verdict is worked out from now on."""
    seen: list[str] = []

    def counting(run: Run) -> object:
        seen.append(run.id)
        return verdict_view(run)

    monkeypatch.setattr(module, "verdict_view", counting)
    return seen


def settled(folder: Path) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))


def test_a_verdict_is_read_once_and_kept(build: RunBuilder, tmp_path: Path, read: list[str]) -> None:
    run, bare = build.finished(), build.imported()
    settled(run.folder)
    words = VerdictWords(run.folder.parent, tmp_path)
    assert (words.word(run.id), words.word(bare.id), words.word("nowhere")) == ("Mixed", None, None)
    words.save()
    (kept,) = (tmp_path / "verdicts").iterdir()
    assert VerdictWords(run.folder.parent, tmp_path).word(run.id) == "Mixed" and read == [run.id]
    kept.write_text(kept.read_text().replace("Mixed", "Wonderful"))
    assert VerdictWords(run.folder.parent, tmp_path).word(run.id) == "Mixed" and len(read) == 2
    kept.write_text("{")
    assert VerdictWords(run.folder.parent, tmp_path).word(run.id) == "Mixed" and len(read) == 3


def test_a_changed_run_is_read_anew(build: RunBuilder, tmp_path: Path, read: list[str]) -> None:
    run = build.finished()
    settled(run.folder)
    words = VerdictWords(run.folder.parent, tmp_path)
    assert words.word(run.id) == "Mixed"
    (run.folder / "evaluation.json").write_text("{")
    assert words.word(run.id) is None and words.word(run.id) is None
    assert len(read) == 3, "what was written a moment ago is not kept"
    (run.folder / "run.json").unlink()
    assert words.word(run.id) is None
