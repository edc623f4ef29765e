"""The summary: figures by what they are, key findings with evidence, the report as files and section by section."""

import pytest
from streamlit.testing.v1 import AppTest

from medqa_core.foundation.settings import Settings
from medqa_core.jobs import launch
from medqa_core.jobs.task import all_tasks
from medqa_core.report.writer import FORMATS
from tests.support.pages import Open, elements, press, shown
from tests.support.runs import RunBuilder


def test_words_in_place_of_a_figure_are_quoted_and_a_figure_is_shown(build: RunBuilder, open_page: Open) -> None:
    build.imported("words", source={"figures": {"perplexity": "7 or so", "rougeL": 0.2}})
    text = shown(open_page("summary/summary.py", run="words"))
    assert "the source says: “7 or so”" in text
    assert (
        '<span class="mq-tuned mq-strong">0.2000</span>' in text and "as the source reports it; base not stated" in text
    )


def test_the_report_is_there_to_read_and_to_download(build: RunBuilder, open_page: Open) -> None:
    build.finished("whole")
    app = open_page("summary/summary.py", run="whole")
    assert not app.exception
    assert [header.value for header in app.header] == ["Two answers", "Download report", "Full report"]
    assert [button.label for button in elements(app, "download_button")] == [
        *(f.label for f in FORMATS.values()),
        "Everything, one ZIP",
    ]
    text = shown(app)
    assert "<h2>Key findings</h2>" in text and "Would be wrong if" in text and "<summary>Next steps</summary>" in text


def labels(app: AppTest) -> list[str]:
    assert not app.exception
    return [button.label for button in app.main.button]


def test_what_the_page_names_a_command_for_is_a_button(
    build: RunBuilder, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDQA_PUBLIC", raising=False)
    monkeypatch.setattr(launch, "_start_task", lambda entry, settings: None)
    folder = build.finished("bare").folder
    (folder / "evaluation.json").unlink()
    (folder / "mmlu_results" / "results.json").unlink()
    app = open_page("summary/summary.py", run="bare")
    assert "has not been evaluated" in shown(app) and labels(app) == ["Evaluate", "Measure MMLU"]
    app = press(app, "Evaluate")
    assert "Evaluating bare" in shown(app) and "Measure MMLU" in labels(app)
    assert [(one.task.kind, one.task.run) for one in all_tasks(Settings.from_environment())] == [("evaluate", "bare")]
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    assert labels(open_page("summary/summary.py", run="bare")) == []


def test_a_damaged_evaluation_is_named_with_the_button_that_replaces_it(
    build: RunBuilder, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDQA_PUBLIC", raising=False)
    folder = build.finished("torn").folder
    (folder / "evaluation.json").write_text("{")
    app = open_page("summary/summary.py", run="torn")
    text = shown(app)
    assert (
        "The evaluation of this run cannot be read (evaluation.json is damaged" in text
        and "not been evaluated" not in text
    )
    assert labels(app) == ["Evaluate"]
    app = open_page("metrics/metrics.py", run="torn")
    assert "The evaluation of this run cannot be read." in shown(app) and labels(app).count("Evaluate") == 1
    assert "not been evaluated" not in shown(app)
