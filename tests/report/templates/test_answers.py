"""Some answers as a page: the same ones at each call, and nothing in them is markup."""

import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.report.facts import Facts
from medqa_core.report.templates.answers import render
from medqa_core.runs.artifacts.predictions import read_predictions, write_predictions
from tests.support.runs import RunBuilder


def test_as_many_as_asked_for_and_the_same_again(build: RunBuilder) -> None:
    run = build.finished()
    page = render(run, 5)
    assert page == render(Facts.of(run), 5)
    assert page.count("\n## ") == page.count("**Base**") == page.count("**Fine-tuned**") == 5
    rows = Facts.of(run).predictions
    assert rows is not None
    assert render(run, 10_000).count("\n## ") == len(rows)


def test_an_answer_is_text(build: RunBuilder) -> None:
    run = build.finished()
    rows = read_predictions(run.folder)
    rows["fine_tuned_answer"] = "# Not a heading\n<b>not bold</b> [not](a-link)"
    rows["base_answer"] = ""
    rows["fine_tuned_supported"] = 0.5
    write_predictions(run.folder, rows)
    page = render(run, 1)
    assert "> \\# Not a heading\n> \\<b\\>" in page or "> \\# Not a heading\n> &lt;b" in page
    assert "> (empty)" in page and "50.0% of its content words in its passages" in page
    assert "](a-link)" not in page.replace("\\]", "")


def test_means_are_over_the_answers_that_are_counted(build: RunBuilder) -> None:
    run = build.finished()
    rows = read_predictions(run.folder)
    rows["base_rougeL"], rows["fine_tuned_rougeL"] = 0.25, 0.5
    rows.loc[:9, ["fine_tuned_answer", "fine_tuned_rougeL"]] = [None, 0.0]
    rows["base_content_f1"], rows["fine_tuned_content_f1"] = 0.125, 0.75
    rows.loc[10:11, ["base_content_f1", "fine_tuned_content_f1"]] = float("nan")
    write_predictions(run.folder, rows)
    page = render(run, 10_000)
    assert "Of 50 test questions" in page
    assert "Means over all of them: content F1 0.125 → 0.750 (48 have it) and ROUGE-L 0.250 → 0.500." in page
    assert page.count("content F1 0.125, ROUGE-L 0.250") == 48 and "not a number" not in page


def test_answers_without_scores_state_no_means(build: RunBuilder) -> None:
    run = build.finished()
    rows = read_predictions(run.folder)
    unscored = [name for name in rows if str(name).endswith(("rougeL", "content_f1"))]
    write_predictions(run.folder, rows.drop(columns=unscored))
    page = render(run, 2)
    assert "Means" not in page and page.count("**Base**\n") == 2


def test_a_run_without_answers(build: RunBuilder) -> None:
    with pytest.raises(InputError, match="has no answers to show"):
        render(build.imported(), 3)
