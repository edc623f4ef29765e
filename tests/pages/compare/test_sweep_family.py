"""A sweep on Compare runs: one family, the lowest trial marked, and what all of it cost."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medqa_core.foundation.files import read_json, write_json
from medqa_core.report.sweep import Family, cost_sentence, family, members, result_sentence
from medqa_core.runs.run import Run
from tests.support.hostile import HOSTILE
from tests.support.pages import elements
from tests.support.runs import RunBuilder

RATES = (5e-4, 1e-3, 2e-3, 4e-3)
LOSSES = (1.95, 1.81, 1.7, None)


@pytest.fixture
def swept(build: RunBuilder) -> RunBuilder:
    """Four trials: two that ended, one that was ended early and is the lowest, one that has not been validated."""
    for number, (rate, loss) in enumerate(zip(RATES, LOSSES, strict=True), 1):
        folder = build.finished(f"s-t{number:02d}").folder
        change(folder, "run.json", sweep={"id": "s", "trial": number, "parameters": {"learning_rate": rate}})
        best = None if loss is None else {"step": 10, "validation_loss": loss}
        early = {"state": "stopped", "error": "Ended early by its sweep: <b>why</b>."} if number == 3 else {}
        change(folder, "status.json", best=best, train_seconds=1800.0, tokens=1000, **early)
    build.finished("alone")
    return build


def change(folder: Any, name: str, **values: object) -> None:
    write_json(folder / name, {**read_json(folder / name), **values})


def runs(build: RunBuilder, *ids: str) -> list[Run]:
    return [build.store.open(run_id) for run_id in ids]


def found(build: RunBuilder) -> Family:
    made = family(members("s", build.store))
    assert made is not None
    return made


def test_the_lowest_trial_and_the_cost(swept: RunBuilder) -> None:
    made = found(swept)
    assert [trial.run_id for trial in made.trials] == ["s-t01", "s-t02", "s-t03", "s-t04"]
    assert made.best is not None and made.best.run_id == "s-t03"
    assert (made.seconds, made.tokens, made.cpu_hours) == (7200.0, 4000, 4.0)  # two threads each
    assert result_sentence(made).startswith("s-t03 has the lowest validation loss, 1.7000, 6.1% below the next.")
    assert "only its test questions can confirm it" in result_sentence(made)
    assert (
        cost_sentence(made) == "Cost: 4 trials, 2 h of training, 4,000 tokens, 4.00 CPU-hours. 1 trial stopped early."
    )


def test_no_cost_is_claimed_that_is_not_known(swept: RunBuilder) -> None:
    change(swept.folder / "s-t01", "run.json", environment={})
    assert found(swept).cpu_hours is None
    assert "CPU-hours" not in cost_sentence(found(swept))


def test_a_run_of_another_sweep_is_no_member(swept: RunBuilder) -> None:
    folder = swept.finished("s-t09").folder
    assert "s-t09" not in [run.id for run in members("s", swept.store)]
    change(folder, "run.json", sweep={"id": "other", "trial": 1, "parameters": {}})
    assert "s-t09" not in [run.id for run in members("s", swept.store)]
    assert family(runs(swept, "alone")) is None
    assert [t.run_id for t in family(runs(swept, "alone", "s-t09", "s-t01")).trials] == ["s-t09"]  # type: ignore[union-attr]


def test_before_the_first_validation(swept: RunBuilder) -> None:
    one = family(runs(swept, "s-t04"))
    assert one is not None and one.best is None
    assert result_sentence(one) == "No trial has been validated yet."


def shown(app: AppTest) -> str:
    assert not app.exception
    return "".join(block.proto.body for block in elements(app, "html")) + "".join(h.value for h in app.header)


def test_compare_shows_the_family(swept: RunBuilder, open_page: Callable[..., AppTest]) -> None:
    text = shown(open_page("compare/compare.py", run="s-t01", runs="alone"))
    assert "Sweep s" in text
    assert "s-t03 has the lowest validation loss" in text
    assert text.count("▲ lowest") == 1
    assert "Ended early by its sweep: &lt;b&gt;why" in text and "<b>why" not in text
    assert "Cost: 4 trials" in text


def test_a_hostile_sweep_is_text(swept: RunBuilder, open_page: Callable[..., AppTest]) -> None:
    change(
        swept.folder / "s-t01", "run.json", sweep={"id": "s", "trial": 1, "parameters": {HOSTILE[:40]: HOSTILE[:200]}}
    )
    assert "<img src=x" not in shown(open_page("compare/compare.py", run="s-t01"))


def test_runs_of_their_own_show_no_sweep(swept: RunBuilder, open_page: Callable[..., AppTest]) -> None:
    swept.finished("another")
    assert "Sweep" not in shown(open_page("compare/compare.py", run="alone", runs="another"))
