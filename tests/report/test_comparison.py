"""What differs between runs."""

import json
from pathlib import Path

import pytest

from medqa_core.report.comparison import (
    Caveat,
    caveat,
    differing_settings,
    lowest_loss,
    metric_rows,
    seed_spread,
    sentence,
)
from medqa_core.report.facts import Facts
from medqa_core.report.views.figures import Figure
from medqa_core.report.views.metric import MetricView
from tests.support.runs import RunBuilder, rewrite
from tests.support.scenarios import SHOWN


@pytest.fixture
def build(tmp_path: Path) -> RunBuilder:
    return RunBuilder(tmp_path / "reports", SHOWN)


def read(build: RunBuilder, *ids: str) -> list[Facts]:
    return [Facts.of(build.store.open(run_id)) for run_id in ids]


def test_equal_runs_differ_in_nothing(build: RunBuilder) -> None:
    build.finished("a")
    build.finished("b")
    runs = read(build, "a", "b")
    assert differing_settings(runs) == ([], [])
    assert caveat(runs) is None
    best = lowest_loss(runs)
    assert best is not None and (best.run_id, best.loss, best.gap) == ("a", 1.8406, 0.0)
    assert sentence(runs) == best.sentence()


def seeded(build: RunBuilder, run_id: str, **config: object) -> None:
    build.finished(run_id)
    path = build.store.folder / run_id / "run.json"
    kept = json.loads(path.read_text())["config"]
    rewrite(path, config={**kept, "title": run_id, **config})


def test_runs_differ_in_the_training_examples_that_preparation_leaves(build: RunBuilder) -> None:
    build.finished("a")
    build.finished("b")
    path = build.store.folder / "b" / "run.json"
    data = json.loads(path.read_text())["data"]
    rewrite(path, data={**data, "preparation": {"answers": 500, "too_long_left_out": 1, "examples": 499}})
    differing, _ = differing_settings(read(build, "a", "b"))
    assert [(row.label, row.values) for row in differing] == [("Training examples", ("500", "499"))]


def test_runs_of_another_seed_alone_tell_what_chance_moves(build: RunBuilder) -> None:
    for run_id, seed in (("a", 1), ("b", 2), ("c", 3)):
        seeded(build, run_id, seed=seed)
    rewrite(build.store.folder / "b" / "evaluation.json", protocol={})
    spread = seed_spread(read(build, "a", "b", "c"))
    assert spread is not None and spread.seeds == (1, 2, 3)
    assert ("loss", 1.8406, 1.8406) in spread.ranges
    said = sentence(read(build, "a", "b", "c"))
    assert said.startswith("These runs differ in their seed alone (1, 2 and 3): fine-tuned, they have ")
    assert "loss 1.8406 to 1.8406" in said


@pytest.mark.parametrize("change", [{"learning_rate": 0.1}, {"split_seed": 7}, {"seed": 1}])
def test_other_settings_are_no_other_seed(build: RunBuilder, change: dict[str, object]) -> None:
    seeded(build, "a", seed=1)
    seeded(build, "b", **{"seed": 2, **change})
    assert seed_spread(read(build, "a", "b")) is None
    assert seed_spread(read(build, "a")) is None


def test_an_import_has_no_other_seed(build: RunBuilder) -> None:
    seeded(build, "a", seed=1)
    build.imported("b")
    assert seed_spread(read(build, "a", "b")) is None


def test_losses_of_other_text_are_not_ranked(build: RunBuilder) -> None:
    build.finished("a")
    build.finished("b")
    rewrite(build.store.folder / "b" / "evaluation.json", protocol={"loss_tokens": 128})
    runs = read(build, "a", "b")
    assert caveat(runs) == Caveat("different losses")
    assert sentence(runs).startswith("Their losses are not of the same text")


def test_other_base_and_unstated_settings_are_told_apart(build: RunBuilder) -> None:
    build.finished("a")
    build.imported("b")
    runs = read(build, "a", "b")
    differing, unstated = differing_settings(runs)
    assert ("smollm2-135m-instruct", "distilbert/distilgpt2") in [
        r.values for r in differing if r.label == "Base model"
    ]
    assert [row.values[1] for row in unstated if row.label == "Learning rate"] == [None]
    assert caveat(runs) == Caveat("unknown questions", ("b",))
    assert sentence(runs).startswith("b does not say which questions")


@pytest.mark.parametrize(
    "reason", ["different questions", "unknown questions", "different base models", "different losses"]
)
def test_every_caveat_has_its_words(reason: str) -> None:
    assert Caveat(reason, ("a", "b")).sentence().endswith(".")  # type: ignore[arg-type]


def test_fewer_than_two_losses_say_nothing(build: RunBuilder) -> None:
    build.finished("a")
    assert lowest_loss(read(build, "a")) is None
    assert sentence(read(build, "a")) == "Fewer than two of these runs have a measured test loss."


def test_figures_side_by_side(build: RunBuilder) -> None:
    build.finished("a")
    build.imported("b")
    rows = {row.name: row for row in metric_rows(read(build, "a", "b"))}
    ours, theirs = rows["loss"].cells
    assert isinstance(ours, MetricView) and (ours.base, ours.fine_tuned) == (2.4312, 1.8406)
    assert ours.verdict == "better"
    assert isinstance(theirs, Figure) and (theirs.text, theirs.origin) == ("2.0423", "reported")
    assert rows["mmlu"].cells[1] is None
