"""Every page on every kind of run: it opens without an exception and says what it has to say."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.hostile import HOSTILE
from tests.support.pages import PAGES, Open, elements
from tests.support.runs import RunBuilder

KINDS = ("finished", "imported", "running", "failed", "lost", "torn")


def shown(app: AppTest) -> str:
    """Everything on the page that is text."""
    html = [element.value for element in elements(app, "html")]
    return "\n".join([*html, *(e.value for e in app.markdown), *(e.value for e in app.title)])


def healthy(app: AppTest) -> AppTest:
    assert not app.exception, [e.message for e in app.exception]
    assert not app.error, [e.value for e in app.error]
    assert len(app.title) == 1
    return app


@pytest.mark.parametrize("page", [*PAGES, "runs/runs.py", "fine_tune/fine_tune.py"])
@pytest.mark.parametrize("kind", KINDS)
def test_page_opens(kind: str, page: str, build: RunBuilder, open_page: Open) -> None:
    healthy(open_page(page, run=getattr(build, kind)().id))


@pytest.mark.parametrize("page", PAGES)
def test_empty_store_says_what_to_do(page: str, open_page: Open) -> None:
    app = open_page(page)
    assert not app.exception
    assert "No runs yet." in shown(app)
    assert app.code[0].value == "medqa train --preset starter"


@pytest.mark.parametrize("page", PAGES)
def test_broken_run_is_named_and_the_others_work(page: str, build: RunBuilder, open_page: Open) -> None:
    build.broken()
    build.finished()
    app = open_page(page, run="broken")
    assert not app.exception
    assert "This run cannot be opened." in shown(app) and "run.json is not valid JSON" in shown(app)
    healthy(open_page(page, run="finished"))


def test_only_broken_runs(build: RunBuilder, open_page: Open) -> None:
    build.broken()
    assert "No run can be opened." in shown(open_page("summary/summary.py"))


@pytest.mark.parametrize("asked", ["nowhere", "../../etc/passwd", "<b>x</b>", "a" * 300])
def test_unknown_run_is_a_sentence_and_a_list(asked: str, build: RunBuilder, open_page: Open) -> None:
    build.finished()
    app = open_page("summary/summary.py", run=asked)
    assert not app.exception
    assert "No run called" in shown(app) and "· finished (completed)" in shown(app)
    assert "<b>x</b>" not in shown(app)


def test_finished_run_on_the_summary(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    text = shown(healthy(open_page("summary/summary.py")))
    assert "Did fine-tuning help?" in text
    assert "2.4312" in text and "1.8406" in text and "▲ better" in text and "? inconclusive" in text
    assert "Run #3" in text


def test_imported_run_says_what_its_source_leaves_out(build: RunBuilder, open_page: Open) -> None:
    build.imported()
    text = shown(healthy(open_page("summary/summary.py")))
    assert "no base figures" in text and "as the source reports it" in text
    assert "This run has no loss curve." in text
    assert "This run has no answers to show." in shown(open_page("answers/answers.py"))
    assert "This run cannot answer." in shown(open_page("ask/ask.py"))


def test_run_in_progress_shows_where_it_stands(build: RunBuilder, open_page: Open) -> None:
    build.running()
    for page in ("summary/summary.py", "loss_curves/loss_curves.py", "metrics/metrics.py"):
        assert "step 12 of 60 (20%)" in shown(healthy(open_page(page)))


def test_failed_and_lost_runs_say_so(build: RunBuilder, open_page: Open) -> None:
    build.failed()
    build.lost()
    assert "The disk is full." in shown(open_page("summary/summary.py", run="failed"))
    assert "This run was interrupted." in shown(open_page("summary/summary.py", run="lost"))


def test_torn_files_are_named(build: RunBuilder, open_page: Open) -> None:
    build.torn()
    text = shown(healthy(open_page("metrics/metrics.py")))
    assert "evaluation.json is not valid" in text


def test_every_download_is_offered(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    app = healthy(open_page("summary/summary.py"))
    labels = ["Text", "Markdown", "HTML, one page", "Model card", "Everything, one ZIP"]
    assert [b.label for b in elements(app, "download_button")] == labels


@pytest.mark.parametrize(
    "page",
    [
        "summary/summary.py",
        "metrics/metrics.py",
        "answers/answers.py",
        "compare/compare.py",
        "loss_curves/loss_curves.py",
        "ask/ask.py",
        "runs/runs.py",
    ],
)
def test_hostile_texts_stay_text(page: str, build: RunBuilder, open_page: Open) -> None:
    build.finished("other", title=HOSTILE)
    build.finished("hostile", title=HOSTILE)
    app = open_page(page, run="hostile")
    assert not app.exception
    everything = "".join(e.value for e in [*elements(app, "html"), *app.markdown] if not e.value.startswith("<style>"))
    assert "<img" not in everything and "<script" not in everything
