"""The metrics page on a run that holds everything, on one with little, and the ZIP on the summary."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from medqa_core.foundation.files import write_json
from medqa_core.report.archive import archive
from medqa_core.runs.artifacts.mmlu import ANSWER_SCHEMA, SUBSETS, write_answers
from medqa_core.runs.artifacts.predictions import write_predictions
from medqa_core.runs.store.run_store import RunStore
from tests.support.evaluations import shown_evaluation
from tests.support.pages import Open, elements, shown
from tests.support.runs import RunBuilder
from tests.support.scenarios import shown_predictions


def headings(app: AppTest) -> list[str]:
    return [element.value for element in [*app.header, *app.subheader]]


@pytest.fixture
def full(build: RunBuilder) -> Path:
    """A run with sources, a clean subset, copies and MMLU letters."""
    folder = build.finished("full").folder
    made = shown_evaluation(24)
    part = {name: metric.model_copy(update={"n": 9}) for name, metric in made.metrics.items() if name != "mmlu"}
    both = {name: made.metrics[name] for name in ("loss", "rougeL")}
    sources = {"GARD": both, "CDC": both}
    write_json(
        folder / "evaluation.json",
        made.model_copy(update={"clean": part, "by_source": sources}).model_dump(mode="json"),
    )
    random = np.random.default_rng(1)
    rows = shown_predictions(24).assign(
        base_copied_share=0.1,
        fine_tuned_copied_share=[0.95, 0.6, 0.1] * 8,
        fine_tuned_nearest="q003",
    )
    write_predictions(folder, rows)
    answers = pd.DataFrame(
        {
            **dict.fromkeys(ANSWER_SCHEMA.names, -1.0),
            "subset": [SUBSETS[n % 6] for n in range(300)],
            "question": range(300),
            "target": random.integers(0, 4, 300),
            "base_choice": random.integers(0, 4, 300),
            "fine_tuned_choice": [2] * 300,
        }
    )
    write_answers(folder, answers)
    return folder


TABS = {
    "Overall": [],
    "By type and source": ["By question type and source"],
    "Questions": ["Improved and regressed questions", "Copied from training?"],
    "MMLU": ["Medical knowledge: MMLU by subset", "Which letters are chosen"],
    "With passages": ["Does reading passages help?"],
    "Preferences": [],
}


def test_every_part_of_the_metrics_page(full: Path, open_page: Open) -> None:
    pages = {tab: open_page("metrics/metrics.py", run="full", tab=tab) for tab in TABS}
    assert not any(app.exception for app in pages.values())
    assert {tab: headings(app) for tab, app in pages.items()} == TABS
    assert [[tab.label for tab in app.tabs] for app in pages.values()] == [list(TABS)] * len(TABS)
    text = "".join(map(shown, pages.values()))
    assert "after fine-tuning the model predicts the reference answers better (loss)" in text
    assert "The gain on loss holds on the 9 questions" in text
    assert "8 (33.3%) are copies of a training answer, 8 (33.3%) near-copies" in text
    assert "says C on 300 of 300 questions" in text and "Always " in text
    charts = [chart.proto for app in pages.values() for chart in app.get("plotly_chart")]
    assert len(charts) == 5
    assert all(chart.alt for chart in charts)
    assert sum(len(elements(app, "download_button")) for app in pages.values()) == 6


def test_the_clean_part_is_one_press_away(full: Path, open_page: Open) -> None:
    app = open_page("metrics/metrics.py", run="full")
    assert "on the same test questions" in shown(app) and "25.9%" in shown(app)
    part = next(group for group in elements(app, "button_group") if group.key == "questions")
    part.set_value("clean subset").run()
    assert not app.exception
    assert "share no text with training" in shown(app)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({"questions": "Clean subset"}, "share no text with training"),
        ({"questions": "<b>"}, "on the same test questions"),
        (
            {"tab": "By type and source", "slices": "By source", "metric": "ROUGE-L"},
            "ROUGE-L by source, most questions",
        ),
        ({"tab": "By type and source", "slices": "By source", "metric": "<b>"}, "Loss by source, most questions"),
        ({"tab": "By type and source", "slices": "by lot"}, "Loss by question type, most questions"),
    ],
)
def test_what_was_chosen_is_in_the_address(full: Path, open_page: Open, address: dict[str, str], said: str) -> None:
    """As "Copy link" copies it; nonsense counts as nothing chosen."""
    app = open_page("metrics/metrics.py", run="full", **address)
    assert not app.exception and said in shown(app)
    bound = {group.proto.query_param_key for group in elements(app, "button_group")}
    assert {name for name in address if name != "tab"} <= bound


def test_slices_by_source(full: Path, open_page: Open) -> None:
    app = open_page("metrics/metrics.py", run="full", tab="By type and source")
    assert "Loss by question type, most questions first" in shown(app) and "GARD" not in shown(app)
    next(group for group in elements(app, "button_group") if group.key == "slices").set_value("source").run()
    assert not app.exception
    assert "Loss by source, most questions first" in shown(app) and "GARD" in shown(app)


def test_the_ends_link_to_the_answers(full: Path, open_page: Open) -> None:
    text = shown(open_page("metrics/metrics.py", run="full", tab="Questions"))
    assert text.count('href="answers?run=full&amp;question=q0') >= 5


def test_an_older_run_has_the_parts_that_it_can(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    apps = [open_page("metrics/metrics.py", tab=tab) for tab in TABS]
    assert not any(app.exception for app in apps)
    assert [heading for app in apps for heading in headings(app)] == [
        "By question type",
        "Improved and regressed questions",
        "Medical knowledge: MMLU by subset",
        "Does reading passages help?",
    ]
    assert not [
        group for app in apps for group in elements(app, "button_group") if group.key in ("questions", "slices")
    ]


def test_an_imported_run_has_no_tabs_for_what_its_source_cannot_say(build: RunBuilder, open_page: Open) -> None:
    build.imported()
    assert [tab.label for tab in open_page("metrics/metrics.py", tab="Questions").tabs] == ["Overall", "MMLU"]


def test_without_rows_by_question_the_page_says_so(build: RunBuilder, open_page: Open) -> None:
    (build.finished("bare").folder / "predictions.parquet").unlink()
    app = open_page("metrics/metrics.py", run="bare", tab="Questions")
    assert "There are no data by question." in shown(app)
    assert "Evaluate" in [b.label for b in app.button]


def test_answers_say_what_was_copied(full: Path, open_page: Open) -> None:
    text = shown(open_page("answers/answers.py", run="full", order="as in the test set"))
    assert "copied: 95% of its words from the training answer to q003" in text
    assert "near-copy: 60% of its words" in text and "novel" in text


def test_the_zip_is_offered_and_says_what_it_leaves_out(build: RunBuilder, reports: Path, open_page: Open) -> None:
    folder = build.finished("a").folder
    app = open_page("summary/summary.py", run="a")
    assert "Everything, one ZIP" in [button.label for button in elements(app, "download_button")]
    assert "leaves the weights out" not in shown(app)
    with open(folder / "adapter" / "adapter_model.safetensors", "wb") as file:
        file.truncate(60_000_000)
    assert "leaves the weights out, 60 MB" in shown(open_page("summary/summary.py", run="a"))
    packed = zipfile.ZipFile(io.BytesIO(archive(RunStore(reports).open("a"), weights=False)))
    assert "a/evaluation.json" in packed.namelist()
