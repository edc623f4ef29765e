"""The answers: filters, pages, and the score that they are sorted by."""

from tests.support.pages import Open, elements, shown
from tests.support.runs import RunBuilder


def test_filters_of_the_answers(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    assert "24 of 24 test questions." in shown(open_page("answers/answers.py"))
    assert "8 of 24 test questions." in shown(open_page("answers/answers.py", type="causes"))
    assert "1 of 24 test questions." in shown(open_page("answers/answers.py", q="tuned answer number 13"))
    assert "No question fits these filters." in shown(open_page("answers/answers.py", q="nothing like it"))
    assert not open_page("answers/answers.py", page="999", score="nonsense", order="nonsense").exception


def test_answers_page_by_page(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    app = open_page("answers/answers.py", order="as in the test set")
    assert "q009" in shown(app) and "q010" not in shown(app)
    app = open_page("answers/answers.py", order="as in the test set", page="3")
    assert "q023" in shown(app) and "q009" not in shown(app)


def test_another_filter_starts_at_page_one(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    app = open_page("answers/answers.py", page="2")
    assert elements(app, "pagination")[0].value == 2
    next(s for s in app.selectbox if s.label == "Order").select("largest regression").run()
    assert elements(app, "pagination")[0].value == 1


def test_score_chosen_is_the_score_shown(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    app = open_page("answers/answers.py")
    next(s for s in app.selectbox if s.label == "Score").select("loss").run()
    assert "has the lower loss on" in shown(app) and "base − fine-tuned; up is better" in shown(app)
