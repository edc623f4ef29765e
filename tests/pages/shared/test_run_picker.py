"""The run picker and the address."""

from tests.support.pages import Open, elements
from tests.support.runs import RunBuilder


def test_newest_completed_run_is_picked_and_is_in_the_address(build: RunBuilder, open_page: Open) -> None:
    build.imported()
    build.finished()
    build.running()
    app = open_page("summary/summary.py")
    assert app.sidebar.selectbox[0].value == "finished"
    assert app.query_params["run"] == "finished"


def test_address_picks_the_run(build: RunBuilder, open_page: Open) -> None:
    build.imported()
    build.finished()
    app = open_page("summary/summary.py", run="run-2")
    assert app.sidebar.selectbox[0].value == "run-2"
    assert app.query_params["run"] == "run-2"


def test_choice_stays_on_other_pages(build: RunBuilder, open_page: Open) -> None:
    build.imported()
    build.finished()
    app = open_page("summary/summary.py")
    app.sidebar.selectbox[0].select("run-2")
    app.query_params["run"] = "run-2"  # a browser does this by itself; tests/e2e looks at it
    app.run()
    for page in ("metrics/metrics.py", "ask/ask.py", "compare/compare.py"):
        app.switch_page(page).run()
        assert app.sidebar.selectbox[0].value == "run-2" and app.query_params["run"] == "run-2"


def test_broken_run_is_not_offered_but_listed_with_its_reason(build: RunBuilder, open_page: Open) -> None:
    build.broken()
    build.finished()
    app = open_page("summary/summary.py")
    assert app.sidebar.selectbox[0].options == ["finished"]
    assert any("1 cannot be opened" in e.value and "broken" in e.value for e in elements(app.sidebar, "html"))
