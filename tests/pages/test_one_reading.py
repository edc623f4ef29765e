"""A page reads each file of a run once for one drawing, however many of its parts need it."""

from collections import Counter
from collections.abc import Callable

import pytest

from medqa_core.runs.run import Run
from tests.support.pages import Open
from tests.support.runs import RunBuilder

FILES = ("evaluation", "metrics_log", "predictions", "mmlu")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each reader of a run was called."""
    counted: Counter[str] = Counter()

    def counting(name: str, reader: Callable[[Run], object]) -> Callable[[Run], object]:
        def read(run: Run) -> object:
            counted[f"{run.id} {name}"] += 1
            return reader(run)

        return read

    for name in FILES:
        monkeypatch.setattr(Run, name, counting(name, getattr(Run, name)))
    return counted


@pytest.mark.parametrize("kind", ["finished", "running", "imported", "torn"])
def test_the_summary(kind: str, build: RunBuilder, open_page: Open, reads: Counter[str]) -> None:
    run = getattr(build, kind)().id
    app = open_page("summary/summary.py", run=run)
    assert not app.exception
    assert reads == {f"{run} {name}": 1 for name in FILES}
    app.run()
    assert reads == {f"{run} {name}": 2 for name in FILES}, "the next drawing did not read the folder anew"


def test_runs_side_by_side(build: RunBuilder, open_page: Open, reads: Counter[str]) -> None:
    for run in ("a", "b"):
        build.finished(run)
    app = open_page("compare/compare.py", run="a", runs="b")
    assert not app.exception
    assert reads == {f"{run} {name}": 1 for run in ("a", "b") for name in FILES}
