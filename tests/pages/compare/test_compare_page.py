"""Runs side by side: which ones, by the address."""

from tests.support.pages import Open, shown
from tests.support.runs import RunBuilder


def test_compare_takes_its_runs_from_the_address(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    build.imported("b")
    build.failed("c")
    app = open_page("compare/compare.py", run="a", runs="c")
    assert app.main.multiselect[0].value == ["c"]
    assert app.main.multiselect[0].options == ["It failed · c", "DistilGPT-2 on MedQuAD · b"]
    app.main.multiselect[0].set_value(["b"]).run()
    assert app.query_params["runs"] == "b" and not app.exception
    app = open_page("compare/compare.py", run="a", runs="nowhere")
    assert not app.exception


def test_runs_on_the_same_data_come_first(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    build.finished("b")
    build.imported("c")  # newer, and on other data
    app = open_page("compare/compare.py", run="a")
    assert app.main.multiselect[0].value[0] == "b"


def test_two_runs_are_judged_and_of_three_the_pair_that_is_picked(build: RunBuilder, open_page: Open) -> None:
    for name in ("a", "b"):
        build.finished(name)
    build.imported("c")
    text = shown(open_page("compare/compare.py", run="a", runs="b"))
    assert "b against a is" in text and "Questions on which" not in text
    app = open_page("compare/compare.py", run="a", runs=["b", "c"])
    app.selectbox(key="judged").select("c").run()
    assert not app.exception
    assert "These two runs are not judged against each other." in shown(app)


def test_questions_on_which_two_runs_differ_are_listed(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    run = build.finished("b")
    build.predictions(run, fine_tuned_rougeL=[n / 24 for n in range(24)])
    text = shown(open_page("compare/compare.py", run="a", runs="b"))
    assert "Questions on which b is better by most." in text and "q023" in text
