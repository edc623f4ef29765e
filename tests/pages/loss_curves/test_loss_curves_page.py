"""The loss curves: their axes, what was not a number, and how much of a long run is sent."""

from streamlit.testing.v1 import AppTest

from medqa_core.runs.metrics_log.log import MetricsLogWriter
from medqa_core.runs.store.labelling import LabelChange, change_labels
from tests.support.pages import Open, elements, shown
from tests.support.runs import RunBuilder


def figure(app: AppTest, key: str) -> str:
    """The chart of this key as Plotly's JSON."""
    return str(next(chart.proto.spec for chart in elements(app, "plotly_chart") if key in chart.proto.id))


def test_over_epochs_on_a_log_scale_with_another_run(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    build.finished("b")
    app = open_page("loss_curves/loss_curves.py", run="a")
    assert "optimizer step" in figure(app, "loss") and '"type":"log"' not in figure(app, "loss")
    app = open_page("loss_curves/loss_curves.py", run="a", over="epoch", log="true", **{"with": "b"})
    assert not app.exception
    assert "epoch (passes over the training set)" in figure(app, "loss")
    assert '"type":"log"' in figure(app, "loss") and "b: validation" in figure(app, "loss")


def test_an_archived_run_is_laid_over_where_the_address_asks_for_it(build: RunBuilder, open_page: Open) -> None:
    for name in ("a", "b"):
        build.finished(name)
    change_labels(build.store, "b", LabelChange(archived=True))
    app = open_page("loss_curves/loss_curves.py", run="a", **{"with": "b"})
    assert not app.exception and "b: validation" in figure(app, "loss")


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
