"""`runs` on a store of hundreds: as many lines as someone reads, and words for the rest."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medqa_core.cli import runs
from medqa_core.runs.importers import import_path
from medqa_core.runs.store.run_store import RunStore
from tests.support.runs import RunBuilder, record, rewrite
from tests.support.scenarios import SHOWN

Cli = Callable[..., Any]


@pytest.fixture
def store(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """Six imported runs, the later the higher the number; a table shows four."""
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    monkeypatch.setattr(runs, "SHOWN", 4)
    store = RunStore(tmp_path / "reports")
    for n in range(6):
        title = "Odd one" if n % 2 else "Even one"
        store.create(record(f"run-{n}", kind="imported", title=title, created_at=f"2026-03-0{n + 1}T00:00:00Z"))
    return store


def lines(out: str) -> list[str]:
    return [line.split()[0] for line in out.splitlines()[1:] if line.startswith("run-")]


def test_the_newest_are_shown_and_the_others_are_told_of(store: RunStore, cli: Cli) -> None:
    said = cli("runs")
    assert lines(said.out) == ["run-5", "run-4", "run-3", "run-2"]
    assert "The newest 4 of 6; --find WORDS or --limit N shows others." in said.out
    assert lines(cli("runs", "--limit", "9").out) == [f"run-{n}" for n in range(5, -1, -1)]


def test_words_find_runs(store: RunStore, cli: Cli) -> None:
    assert lines(cli("runs", "--find", "odd imported").out) == ["run-5", "run-3", "run-1"]
    said = cli("runs", "--find", "nothing like it")
    assert said.code == 0 and "None of the 6 runs has 'nothing like it'" in said.out


def test_programs_get_all_or_as_many_as_they_ask_for(store: RunStore, cli: Cli) -> None:
    assert len(cli("runs", "--json").json) == 6
    assert [entry["id"] for entry in cli("runs", "--json", "--limit", "1", "--find", "even").json] == ["run-4"]
    assert cli("runs", "--limit", "0").code == 2


def test_two_imported_exams_are_compared_question_by_question(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    for name, right, task in (("a", 0.0, "x"), ("b", 1.0, "x"), ("c", 1.0, "y")):
        folder = tmp_path / name
        folder.mkdir()
        value = {"results": {task: {"acc,none": 0.5}}, "n-shot": {task: 5 if name == "b" else 0}}
        (folder / "results.json").write_text(json.dumps(value))
        lines = [json.dumps({"doc_id": n, "acc": right if n < 12 else 1.0}) for n in range(20)]
        (folder / f"samples_{task}.jsonl").write_text("\n".join(lines))
        import_path(folder, RunStore(tmp_path / "reports"), run_id=name)
    said = cli("runs", "compare", "a", "b").out
    assert "x, acc  First 40.0%  Second 100.0%" in said and "Verdict ▲ better" in said
    assert "McNemar's exact test" in said and "Their exams were not asked alike" in said
    found = cli("runs", "compare", "a", "b", "--json").json
    assert (found["first"], found["second"], found["exams"][0]["n"]) == ("a", "b", 20)
    assert found["exams"][0]["verdict"] == "better" and "not asked alike" in found["asked_differently"]
    assert "a and c hold the answers to no question in common." in cli("runs", "compare", "a", "c").out
    assert "cannot be compared with itself" in cli("runs", "compare", "a", "a").err


def test_two_runs_are_compared(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    build = RunBuilder(tmp_path / "reports", SHOWN)
    build.finished("a")
    build.finished("b")
    build.imported("c")
    found = cli("runs", "compare", "a", "b", "--json").json
    assert (found["first"], found["second"], found["questions"], found["groups"]) == ("a", "b", 24, 12)
    assert found["metrics"]["loss"]["first"] == found["metrics"]["loss"]["second"]
    for name, value in (("a", 0.283), ("b", 0.291)):
        changed = {"controls": {"template_answer": {"values": {"rougeL": value}}}, "schema_version": 3}
        rewrite(tmp_path / "reports" / name / "evaluation.json", **changed)
    assert cli("runs", "compare", "a", "b", "--json").json["controls"] == {
        "template_answer": {"rougeL": [0.283, 0.291]}
    }
    said = cli("runs", "compare", "a", "b").out
    assert "Template answer" in said and "0.2830 / 0.2910" in said
    assert "On 24 test questions of both (12 independent topics), b against a is" in said and "ROUGE-L" in said
    for other, why in (("c", "c has no answers to compare"), ("a", "a cannot be compared with itself")):
        refused = cli("runs", "compare", "a", other)
        assert refused.code == 2 and why in refused.err
