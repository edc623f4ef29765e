"""The run picker and the address."""

from medqa_core.foundation.files import read_json
from tests.support.pages import Open, elements
from tests.support.runs import RunBuilder, rewrite


def test_newest_completed_run_is_picked_and_is_in_the_address(build: RunBuilder, open_page: Open) -> None:
    build.imported()
    build.finished()
    build.running()
    app = open_page("summary/summary.py")
    assert app.sidebar.selectbox[0].value == "finished"
    assert app.query_params["run"] == "finished"


def test_a_smoke_run_is_the_home_page_only_where_no_other_run_is(build: RunBuilder, open_page: Open) -> None:
    smoke = build.finished("smoke").folder
    config = read_json(smoke / "run.json")["config"]
    rewrite(smoke / "run.json", config=config | {"preset": "smoke"}, created_at="2027-01-01T00:00:00Z")
    assert open_page("summary/summary.py").query_params["run"] == "smoke"
    build.failed("failed")  # older, and not completed
    assert open_page("summary/summary.py").query_params["run"] == "failed"
    build.finished("real")
    assert open_page("summary/summary.py").query_params["run"] == "real"


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
    assert app.sidebar.selectbox[0].options == ["SmolLM2-135M on MedQuAD · finished"]
    assert any("1 cannot be opened" in e.value and "broken" in e.value for e in elements(app.sidebar, "html"))


def test_runs_are_named_by_their_titles_and_the_address_by_the_id(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    build.finished("plain", title="plain")
    app = open_page("summary/summary.py", run="a")
    picker = app.sidebar.selectbox[0]
    assert picker.options == ["plain", "SmolLM2-135M on MedQuAD · a"] and picker.value == "a"
    picker.select("plain").run()
    assert app.sidebar.selectbox[0].value == "plain" and app.session_state["run"] == "plain"


def test_a_run_that_is_not_there_stays_in_the_address_and_is_said(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    app = open_page("metrics/metrics.py", run="<b>nobody")
    assert not app.exception and "No run called" in "".join(e.value for e in elements(app, "html"))
    assert app.sidebar.selectbox[0].value == "<b>nobody"


def test_the_link_is_copied_from_pages_about_runs_alone(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    for page, there in (("summary/summary.py", 1), ("compare/compare.py", 1), ("runs/runs.py", 0)):
        app = open_page(page)
        assert not app.exception
        assert len([one for one in elements(app, "bidi_component") if "copy-link" in one.proto.id]) == there
