"""A page reads each file of a run once for one drawing, and in the next one only the files that changed."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medqa_core.runs import readers, snapshot
from medqa_core.runs.store.index import RunEntry
from medqa_core.runs.store.run_store import RunStore
from tests.support.pages import Open
from tests.support.runs import RunBuilder

FILES = ("evaluation", "metrics_log", "predictions", "mmlu")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each file of a run was read."""
    counted: Counter[str] = Counter()

    def counting(name: str, reader: Callable[[Path], object]) -> Callable[[Path], object]:
        def read(folder: Path) -> object:
            counted[f"{folder.name} {name}"] += 1
            return reader(folder)

        return read

    for name in FILES:
        monkeypatch.setattr(readers, name, counting(name, getattr(readers, name)))
    snapshot.forget()
    yield counted
    snapshot.forget()


def settle(folder: Path) -> None:
    """As if nobody had written to the run for a minute."""
    for path in folder.rglob("*"):
        if path.is_file():
            then = path.stat().st_mtime - 60
            os.utime(path, (then, then))


@pytest.mark.parametrize("kind", ["finished", "running", "imported", "torn"])
def test_the_summary(kind: str, build: RunBuilder, open_page: Open, reads: Counter[str]) -> None:
    folder = getattr(build, kind)().folder
    run = folder.name
    settle(folder)
    app = open_page("summary/summary.py", run=run)
    assert not app.exception
    once = {f"{run} {name}": 1 for name in FILES}
    assert reads == once
    app.run()
    assert reads == once, "the next drawing read what it knew"
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"split": "train", "step": 999, "loss": 1.0}\n')
    app.run()
    assert reads == once | {f"{run} metrics_log": 2}, "not just the file that changed was read"


@pytest.mark.parametrize("page", ["summary", "loss_curves", "metrics", "answers"])
def test_the_store_is_listed_once_a_drawing(
    page: str, build: RunBuilder, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    listings: list[RunStore] = []
    real = RunStore.list
    build.finished()

    def counted(store: RunStore) -> list[RunEntry]:
        listings.append(store)
        return real(store)

    monkeypatch.setattr(RunStore, "list", counted)
    app = open_page(f"{page}/{page}.py", run="finished")
    assert not app.exception
    assert len(listings) == 1


def test_runs_side_by_side(build: RunBuilder, open_page: Open, reads: Counter[str]) -> None:
    for run in ("a", "b"):
        build.finished(run)
    app = open_page("compare/compare.py", run="a", runs="b")
    assert not app.exception
    assert reads == {f"{run} {name}": 1 for run in ("a", "b") for name in FILES}
