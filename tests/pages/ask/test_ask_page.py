"""The page around the widget: the run that is asked, and what it offers where that run cannot answer."""

import pytest

from tests.support.pages import Open, elements, shown
from tests.support.runs import RunBuilder


def test_ask_points_the_widget_at_the_run(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    app = open_page("ask/ask.py", run="a")
    assert app.get("iframe")[0].proto.src == "/qa/?run=a&__theme=light&embedded=1"
    assert "not medical advice" in shown(app)


def test_ask_offers_the_runs_that_can(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    build.imported("b")
    app = open_page("ask/ask.py", run="b")
    assert "This run cannot answer." in shown(app)
    assert [button.label for button in app.button] == ["Ask SmolLM2-135M on MedQuAD · a"]
    app.button[0].click().run()
    assert app.get("iframe")[0].proto.src == "/qa/?run=a&__theme=light&embedded=1"


def test_where_no_run_can_answer_the_way_to_fine_tune_is_a_link(
    build: RunBuilder, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDQA_PUBLIC", raising=False)
    build.imported("b")
    links = elements(open_page("ask/ask.py", run="b").main, "page_link")
    assert [one.proto.label for one in links] == ["Start it on Fine-tune"]
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    assert not elements(open_page("ask/ask.py", run="b").main, "page_link")
