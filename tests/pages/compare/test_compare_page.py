"""Runs side by side: which ones, by the address."""

from tests.support.pages import Open
from tests.support.runs import RunBuilder


def test_compare_takes_its_runs_from_the_address(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    build.imported("b")
    build.failed("c")
    app = open_page("compare/compare.py", run="a", runs="c")
    assert app.main.multiselect[0].value == ["c"]
    app = open_page("compare/compare.py", run="a", runs="nowhere")
    assert not app.exception
