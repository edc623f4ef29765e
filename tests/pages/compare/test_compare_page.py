"""Runs side by side: which ones, by the address."""

from typing import Any

import pytest

from medqa_core.data.pairs import QAPair
from medqa_core.foundation.files import read_json
from medqa_core.runs.store.labelling import LabelChange, change_labels
from tests.support.pages import Open, shown
from tests.support.runs import RunBuilder, rewrite

TITLE = "SmolLM2-135M on MedQuAD"
"""Of every run that the builder makes."""
BETTER = "Which one is better?"
"""The tab on which two runs are judged against each other."""


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


def test_the_last_run_can_be_taken_out(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    build.failed("c")
    app = open_page("compare/compare.py", run="a", runs="c")
    app.main.multiselect[0].set_value([]).run()
    assert not app.exception and app.main.multiselect[0].value == []
    assert "Choose at least one more run." in shown(app)


def test_an_archived_run_is_shown_where_it_is_asked_for_and_not_offered(build: RunBuilder, open_page: Open) -> None:
    for name in ("a", "b"):
        build.finished(name)
    change_labels(build.store, "b", LabelChange(archived=True))
    app = open_page("compare/compare.py", run="a", runs="b")
    assert not app.exception and app.main.multiselect[0].value == ["b"]
    app = open_page("compare/compare.py", run="a")
    assert "There is only one run." in shown(app)


def test_runs_on_the_same_data_come_first(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    build.finished("b")
    build.imported("c")  # newer, and on other data
    app = open_page("compare/compare.py", run="a")
    assert app.main.multiselect[0].value[0] == "b"


def test_runs_with_the_same_test_questions_come_before_those_on_the_same_data(
    build: RunBuilder, open_page: Open
) -> None:
    for name, split in (("a", "1"), ("b", "1"), ("c", "2")):
        folder = build.finished(name, title=f"Run {name.upper()}").folder
        data = read_json(folder / "run.json")["data"]
        newer = f"2026-01-0{ord(name) - 96}T00:00:00Z"
        rewrite(folder / "run.json", data=data | {"split_hash": split * 64}, created_at=newer)
    app = open_page("compare/compare.py", run="a")
    assert app.main.multiselect[0].options == ["Run B · b", "Run C · c"]
    assert app.main.multiselect[0].value == ["b"]


def test_heads_and_captions_name_runs_by_their_titles(build: RunBuilder, open_page: Open) -> None:
    build.finished("a", title="First <b>")
    build.predictions(build.finished("b", title="Second"), fine_tuned_rougeL=[n / 24 for n in range(24)])
    text = shown(open_page("compare/compare.py", run="a", runs="b", view=BETTER))
    assert "Second against First &lt;b&gt; is" in text and ">Second</th>" in text
    text = shown(open_page("compare/compare.py", run="a", runs="b", view="Questions"))
    assert "Questions on which Second is better by most." in text


def test_two_runs_are_judged_and_of_three_the_pair_that_is_picked(build: RunBuilder, open_page: Open) -> None:
    for name in ("a", "b"):
        build.finished(name)
    build.imported("c")
    app = open_page("compare/compare.py", run="a", runs="b", view=BETTER)
    assert f"{TITLE} · b against {TITLE} · a is" in shown(app)
    assert [tab.label for tab in app.tabs] == ["Figures", BETTER, "Questions", "Settings", "Loss curves"]
    app = open_page("compare/compare.py", run="a", runs=["b", "c"], view=BETTER)
    app.selectbox(key="judged").select("c").run()
    assert not app.exception
    assert "These two runs are not judged against each other." in shown(app)


def test_the_judged_pair_and_the_score_are_in_the_address(build: RunBuilder, open_page: Open) -> None:
    for name in ("a", "b", "c"):
        build.predictions(build.finished(name), fine_tuned_rougeL=[n / 24 for n in range(24)])
    three: dict[str, Any] = {"run": "a", "runs": ["b", "c"], "view": BETTER}
    questions = open_page("compare/compare.py", **{**three, "view": "Questions"}, judged="c", score="ROUGE-L")
    assert "By ROUGE-L, " in shown(questions) and questions.selectbox(key="score").value == "rougeL"
    assert questions.selectbox(key="judged").value == "c"
    app = open_page("compare/compare.py", **three, judged="c", against="b")
    assert f"{TITLE} · c against {TITLE} · b is" in shown(app)
    app.selectbox(key="judged").select("a").run()
    assert app.query_params["judged"] == "a" and "against" not in app.query_params
    app.selectbox(key="judged").select("b").run()
    assert "judged" not in app.query_params, "what is chosen anyway is not written"
    app = open_page("compare/compare.py", **three, judged="<b>", against="c")
    assert not app.exception and f"{TITLE} · b against {TITLE} · a is" not in shown(app)
    assert f"{TITLE} · b against {TITLE} · c is" in shown(app)
    assert "judged" not in app.query_params and app.query_params["against"] == "c"
    app = open_page("compare/compare.py", run="a", runs="b", view=BETTER, judged="b", against="a")
    assert "judged" not in app.query_params and f"{TITLE} · b against {TITLE} · a is" in shown(app)
    app = open_page("compare/compare.py", **{**three, "view": "Questions"}, score="luck")
    assert not app.exception and "is better on" in shown(app)


def test_questions_on_which_two_runs_differ_are_listed(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    run = build.finished("b")
    build.predictions(run, fine_tuned_rougeL=[n / 24 for n in range(24)])
    text = shown(open_page("compare/compare.py", run="a", runs="b", view="Questions"))
    assert f"Questions on which {TITLE} · b is better by most." in text
    assert 'href="answers?run=b&amp;question=q023"' in text and "<code>q023</code>" in text


def test_their_texts_stand_where_they_are_known(
    build: RunBuilder, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.finished("a")
    build.predictions(build.finished("b"), fine_tuned_rougeL=[n / 24 for n in range(24)])
    texts = {"q023": QAPair("q023", "d", "one", "information", "What is <i>one</i>?", "That.", "x")}
    monkeypatch.setattr("medqa_core.data.lookup.texts", lambda *_: (texts, ""))
    text = shown(open_page("compare/compare.py", run="a", runs="b", view="Questions"))
    assert "What is &lt;i&gt;one&lt;/i&gt;?</a>" in text and "<code>q022</code>" in text
