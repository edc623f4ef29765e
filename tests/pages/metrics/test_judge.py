"""A judge model on the metrics page: what it said, and what that is worth."""

import pandas as pd
import pytest

from medqa_core.evaluation.preference import judge_preference
from medqa_core.foundation.files import write_json
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import launch
from medqa_core.jobs.task import all_tasks
from medqa_core.runs.artifacts.model_judge import JUDGE, ModelJudge, write_judge_rows
from tests.support.pages import Open, headings, press, shown
from tests.support.runs import RunBuilder

HEAD = "Which answer does a judge model prefer?"


def test_what_a_judge_said_stands_on_metrics(build: RunBuilder, open_page: Open) -> None:
    run = build.finished()
    assert HEAD not in headings(open_page("metrics/metrics.py", tab="Preferences"))
    choices = ["fine_tuned"] * 20 + ["base", "base", "tie", None]
    names = {"question_id": [f"q{n:03d}" for n in range(24)], "group_id": [f"g{n // 2}" for n in range(24)]}
    rows = pd.DataFrame({**names, "drawn": True, "base_first": choices, "fine_tuned_first": choices})
    write_judge_rows(run.folder, rows)
    about = {"model": "<b>judge</b>", "where": "folder", "prompt_sha256": "0", "questions": 24, "of": 24}
    result = ModelJudge(**about, requests=48, unusable=2, preference=judge_preference(rows), seconds=1.0)
    write_json(run.folder / JUDGE, result.model_dump(mode="json"))
    app = open_page("metrics/metrics.py", tab="Preferences")
    assert HEAD in headings(app) and not app.exception
    text = shown(app)
    assert "&lt;b&gt;judge&lt;/b&gt; prefers the fine-tuned model’s answers on content" in text
    assert "2 replies of 48 could not be used." in text and "decides no headline" in text


def test_damaged_files_of_a_judge_are_named(build: RunBuilder, open_page: Open) -> None:
    run = build.finished()
    (run.folder / JUDGE).write_text("{")
    text = shown(open_page("metrics/metrics.py", tab="Preferences"))
    assert "judge.json is not valid JSON" in text and HEAD not in text


def test_a_judge_that_is_named_can_be_asked_here(
    build: RunBuilder, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDQA_PUBLIC", raising=False)
    monkeypatch.setattr(launch, "_start_task", lambda entry, settings: None)
    monkeypatch.setenv("MEDQA_JUDGE", "https://judge.example/v1")
    build.finished("a")
    app = open_page("metrics/metrics.py", run="a", tab="Preferences")
    assert HEAD in headings(app) and "references and both models&#x27; answers to judge.example" in shown(app)
    app = press(app, "Send to judge.example and judge")
    assert [(one.task.kind, one.task.arguments) for one in all_tasks(Settings.from_environment())] == [
        ("judge", {"host": "judge.example"})
    ]
    assert "Asking the judge model about a" in shown(app)
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    assert HEAD not in headings(open_page("metrics/metrics.py", run="a", tab="Preferences"))
