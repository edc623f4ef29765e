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


def test_a_run_without_answers(build: RunBuilder) -> None:
    with pytest.raises(InputError, match="has no answers to show"):
        render(build.imported(), 3)
