"""A store of a few hundred runs: what is sent to the browser stays small, and every run can still be found."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medqa_core.report import comparison
from medqa_core.runs.store.search import MOST_OFFERED
from tests.support.pages import Open, elements
from tests.support.runs import RunBuilder

MANY = MOST_OFFERED + 60
TITLE = "SmolLM2-135M on MedQuAD"


@pytest.fixture
def many(build: RunBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Copies of one finished run, the later the higher the number; every tenth failed."""
    monkeypatch.setenv("MEDQA_CACHE", str(tmp_path / "cache"))
    first = build.finished("run-000").folder
    record, status = json.loads((first / "run.json").read_text()), json.loads((first / "status.json").read_text())
    for number in range(1, MANY):
        folder = build.folder / f"run-{number:03d}"
        folder.mkdir()
        when = f"2026-12-{1 + number // 24:02d}T{number % 24:02d}:00:00Z"
        (folder / "run.json").write_text(json.dumps(record | {"id": folder.name, "created_at": when}))
        failed = {"state": "failed", "error": "The disk is full."} if number % 10 == 0 else {}
        (folder / "status.json").write_text(json.dumps(status | failed))
    yield build.folder


def notes(app: AppTest) -> str:
    return " ".join(element.value for element in elements(app.sidebar, "html"))


def test_the_newest_are_offered_and_words_find_the_others(many: Path, open_page: Open) -> None:
    app = open_page("summary/summary.py")
    picker = app.sidebar.selectbox[0]
    assert len(picker.options) == MOST_OFFERED and picker.value == f"run-{MANY - 1}"
    assert f"newest {MOST_OFFERED} of {MANY}" in notes(app)
    app.sidebar.text_input(key="find").input("run-01 completed").run()
    options = app.sidebar.selectbox[0].options
    assert options == [f"{TITLE} · run-0{n}" for n in range(19, 10, -1)] + [f"{TITLE} · run-{MANY - 1}"]
    assert app.sidebar.selectbox[0].value == f"run-{MANY - 1}", "finding one does not leave the one that is shown"
    app.sidebar.text_input(key="find").input("nothing like it").run()
    assert "No run matches" in notes(app) and not app.exception


def test_an_old_run_in_the_address_is_shown_and_offered(many: Path, open_page: Open) -> None:
    app = open_page("summary/summary.py", run="run-003")
    assert app.sidebar.selectbox[0].value == "run-003"
    assert len(app.sidebar.selectbox[0].options) == MOST_OFFERED + 1


def test_a_small_store_has_no_search(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    app = open_page("compare/compare.py")
    assert [one.key for one in app.text_input] == ["run"], "the address alone"


def test_runs_to_compare_are_found_sorted_and_kept(many: Path, open_page: Open) -> None:
    app = open_page("compare/compare.py", run="run-000", runs="run-002")
    chosen = app.multiselect(key="runs")
    assert chosen.value == ["run-002"] and len(chosen.options) <= MOST_OFFERED + 3
    app.text_input(key="compare-find").input("failed").run()
    app.selectbox(key="compare-order").select("oldest first").run()
    options = app.multiselect(key="runs").options
    ids = [option.rpartition(" · ")[2] for option in options]
    assert ids[:2] == ["run-010", "run-020"] and "run-002" in ids
    assert app.multiselect(key="runs").value == ["run-002"]
    assert not app.exception


def test_of_many_runs_those_with_the_same_test_questions_are_offered_first(many: Path, open_page: Open) -> None:
    record = json.loads((many / "run-000" / "run.json").read_text())
    other = record | {"id": "run-003", "data": record["data"] | {"split_hash": "3" * 64}}
    (many / "run-003" / "run.json").write_text(json.dumps(other))
    (many / "run-005" / "run.json").write_text(json.dumps(other | {"id": "run-005"}))
    app = open_page("compare/compare.py", run="run-003")
    assert app.multiselect(key="runs").options[0].endswith(" · run-005")
    app.selectbox(key="compare-order").select("newest first").run()
    assert app.multiselect(key="runs").options[0].endswith(f" · run-{MANY - 1}")


def test_twenty_runs_stand_side_by_side(many: Path, open_page: Open) -> None:
    app = open_page("compare/compare.py", run="run-000")
    app.multiselect(key="runs").set_value([f"run-{n:03d}" for n in range(MANY - comparison.MOST + 1, MANY)]).run()
    assert not app.exception
    assert any(f"run-{MANY - 1}" in element.value for element in elements(app, "html"))


def test_old_runs_can_be_overlaid_from_the_address(many: Path, open_page: Open) -> None:
    app = open_page("loss_curves/loss_curves.py", run="run-000", **{"with": "run-001"})
    assert app.multiselect(key="with").value == ["run-001"]
