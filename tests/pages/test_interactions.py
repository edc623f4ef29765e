"""What the visitor can do on a page, and that a run's texts never become markup."""

import pytest
from streamlit.testing.v1 import AppTest

from medqa_core.runs.metrics_log.log import MetricsLogWriter
from tests.support.hostile import HOSTILE
from tests.support.pages import Open
from tests.support.runs import RunBuilder


def shown(app: AppTest) -> str:
    return "\n".join(element.value for element in app.get("html"))


def figure(app: AppTest, key: str) -> str:
    charts = [chart.proto for chart in app.get("plotly_chart")]
    return next(chart.spec for chart in charts if key in chart.id)


def test_loss_curves_over_epochs_on_a_log_scale_with_another_run(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    build.finished("b")
    app = open_page("loss_curves/loss_curves.py", run="a")
    assert "optimizer step" in figure(app, "loss") and '"type":"log"' not in figure(app, "loss")
    app = open_page("loss_curves/loss_curves.py", run="a", over="epoch", log="true", **{"with": "b"})
    assert not app.exception
    assert "epoch (passes over the training set)" in figure(app, "loss")
    assert '"type":"log"' in figure(app, "loss") and "b: validation" in figure(app, "loss")


def test_a_step_that_was_not_a_number_is_marked_and_said(build: RunBuilder, open_page: Open) -> None:
    writer = MetricsLogWriter(build.finished("a").folder / "metrics.jsonl")
    writer.append("train", step=61, epoch=2.1, loss=float("nan"))
    writer.close()
    app = open_page("loss_curves/loss_curves.py", run="a")
    assert "At 1 logged step the loss was not a number." in shown(app)
    assert "loss is not a number at step" in figure(app, "loss")


def test_a_long_run_is_thinned(build: RunBuilder, open_page: Open) -> None:
    writer = MetricsLogWriter(build.finished("a").folder / "metrics.jsonl")
    path = writer.path
    writer.close()
    rows = "".join(
        f'{{"split": "train", "step": {n}, "epoch": 1, "loss": {1 + (n % 7) / 10}}}\n' for n in range(61, 20_000)
    )
    path.write_text(path.read_text() + rows)
    app = open_page("loss_curves/loss_curves.py", run="a")
    assert not app.exception
    assert len(figure(app, "loss")) < 300_000


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


def test_score_chosen_is_the_score_shown(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    app = open_page("answers/answers.py")
    next(s for s in app.selectbox if s.label == "Score").select("loss").run()
    assert "has the lower loss on" in shown(app) and "base − fine-tuned; up is better" in shown(app)


@pytest.mark.parametrize(
    "page",
    [
        "summary/summary.py",
        "metrics/metrics.py",
        "answers/answers.py",
        "compare/compare.py",
        "loss_curves/loss_curves.py",
        "ask/ask.py",
    ],
)
def test_hostile_texts_stay_text(page: str, build: RunBuilder, open_page: Open) -> None:
    build.finished("other", title=HOSTILE)
    build.finished("hostile", title=HOSTILE)
    app = open_page(page, run="hostile")
    assert not app.exception
    everything = shown(app) + "".join(m.value for m in app.markdown if not m.value.startswith("<style>"))
    assert "<img" not in everything and "<script" not in everything


def test_compare_takes_its_runs_from_the_address(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    build.imported("b")
    build.failed("c")
    app = open_page("compare/compare.py", run="a", runs="c")
    assert app.main.multiselect[0].value == ["c"]
    app = open_page("compare/compare.py", run="a", runs="nowhere")
    assert not app.exception


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
    assert [button.label for button in app.button] == ["Ask a"]
    app.button[0].click().run()
    assert app.get("iframe")[0].proto.src == "/qa/?run=a&__theme=light&embedded=1"


def test_another_filter_starts_at_page_one(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    app = open_page("answers/answers.py", page="2")
    assert app.get("pagination")[0].value == 2
    next(s for s in app.selectbox if s.label == "Order").select("largest regression").run()
    assert app.get("pagination")[0].value == 1
