"""What differs between runs."""

from medqa_core.report.comparison import comparable, differing_settings, figure_rows, lowest
from medqa_core.report.facts import Facts
from tests.support.runs import RunBuilder


def test_equal_runs_differ_in_nothing(build: RunBuilder) -> None:
    build.finished("a")
    build.finished("b")
    runs = [Facts.of(build.store.open(i)) for i in ("a", "b")]
    assert differing_settings(runs) == ([], [])
    assert comparable(runs) is None


def test_other_base_and_unstated_settings_are_told_apart(build: RunBuilder) -> None:
    build.finished("a")
    build.imported("b")
    runs = [Facts.of(build.store.open(i)) for i in ("a", "b")]
    differing, unstated = differing_settings(runs)
    assert ["Base model", "smollm2-135m-instruct", "distilbert/distilgpt2"] in differing
    assert any(row[0] == "Learning rate" for row in unstated)
    assert (comparable(runs) or "").startswith("b does not say which questions")
    assert lowest(runs) == comparable(runs)


def test_figures_side_by_side(build: RunBuilder) -> None:
    build.finished("a")
    build.imported("b")
    rows = {row.label: row for row in figure_rows([Facts.of(build.store.open(i)) for i in ("a", "b")])}
    ours, theirs = rows["Loss"].cells
    assert ours is not None and ours.values == "2.4312 → 1.8406" and ours.mark == "▲ better"
    assert theirs is not None and theirs.values == "2.0423" and theirs.change == "reported, no base"
    assert rows["MMLU"].cells[1] is None
