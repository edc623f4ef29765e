"""What a loss chart sends to the browser: few bytes however long the run, with its ends, extremes and gaps."""

from dataclasses import replace

import numpy as np
import pytest
from plotly.graph_objects import Figure

from medqa_core.report.charts.loss import Axis, View, column_figure, loss_figure
from medqa_core.report.charts.palette import DARK, LIGHT, Palette
from medqa_core.report.charts.run_curve import RunCurve
from medqa_core.report.style import CSS
from medqa_core.runs.artifacts.series import Series
from medqa_core.runs.metrics_log.log import Curve, MetricsLog
from medqa_core.runs.metrics_log.rows import NUMBERS

MOST_BYTES = 200_000


def run(label: str, size: int, bad: tuple[int, ...] = ()) -> RunCurve:
    rng = np.random.default_rng(len(label))
    steps = np.arange(1.0, size + 1)
    losses = 2 + rng.normal(0, 0.1, size)
    losses[np.array(bad, dtype=int) - 1] = np.nan
    columns = {name: np.full(size, np.nan) for name in NUMBERS}
    columns |= {"step": steps, "epoch": steps / 1000, "loss": losses, "learning_rate": steps * 1e-9}
    validation = {name: values[9::10] for name, values in columns.items()}
    return RunCurve(label, MetricsLog(Curve(columns, bad), Curve(validation)), best_step=10)


def sent(chart: Figure) -> int:
    return len(chart.to_json().encode())


@pytest.mark.parametrize("runs", [1, 2, 6, 20])
@pytest.mark.parametrize("axis", ["step", "epoch"])
def test_a_chart_stays_small(runs: int, axis: Axis) -> None:
    chart = loss_figure([run(f"run-{n}", 60_000) for n in range(runs)], View(axis))
    assert sent(chart) < MOST_BYTES


def test_a_chart_full_of_gaps_stays_small() -> None:
    assert sent(loss_figure([run("run", 60_000, tuple(range(2, 60_000, 3)))], View())) < MOST_BYTES


def test_the_other_curves_stay_small() -> None:
    assert sent(column_figure(run("run", 60_000), "learning_rate", "learning rate", "epoch")) < MOST_BYTES


def test_ends_and_extremes_are_there() -> None:
    one = run("run", 50_000)
    raw = loss_figure([one], View()).data[0]
    losses = one.metrics_log.train["loss"]
    assert (raw.x[0], raw.x[-1]) == (1, 50_000)
    assert (raw.y[0], raw.y[-1]) == (losses[0], losses[-1])
    assert (raw.y.min(), raw.y.max()) == (losses.min(), losses.max())


def test_which_checkpoint_was_kept_is_said_above_the_plot_where_no_line_is() -> None:
    [said] = [one for one in loss_figure([run("run", 100)], View()).layout.annotations if "kept" in one.text]
    assert (said.text, said.yref, said.y, said.yanchor) == ("kept: step 10", "paper", 1, "bottom")


def shifted(by: float) -> RunCurve:
    """A run whose losses, about 2, are all so much higher."""
    one = run("run", 100)

    def moved(log: Curve) -> Curve:
        return Curve({**log.columns, "loss": log["loss"] + by})

    log = MetricsLog(moved(one.metrics_log.train), moved(one.metrics_log.validation))
    return replace(one, metrics_log=log, training="policy")


@pytest.mark.parametrize(("by", "kind"), [(0.0, "log"), (-2.0, "log"), (-10.0, "linear")])
def test_losses_below_zero_are_drawn_where_a_logarithmic_axis_is_asked_for(by: float, kind: str) -> None:
    chart = loss_figure([shifted(by)], View(log=True))
    assert chart.layout.yaxis.type == kind
    assert {"training", "validation"} <= {note.text for note in chart.layout.annotations}


@pytest.mark.parametrize(("palette", "name"), [(LIGHT, "light"), (DARK, "dark")])
def test_training_has_one_colour_in_app_and_report(palette: Palette, name: str) -> None:
    _, smoothed, validation, *_ = loss_figure([run("run", 100)], View(), palette).data
    assert validation.line.color == palette.tuned, name
    assert smoothed.line.color == palette.muted, name
    assert ".curve polyline{fill:none;stroke-width:2;stroke:var(--muted)}" in CSS
    assert ".curve .validation{stroke:var(--tuned)}" in CSS


def test_a_loss_that_is_no_number_breaks_the_line() -> None:
    chart = loss_figure([run("run", 50_000, (20_000, 20_001))], View())
    for trace in chart.data[:2]:
        [gap] = np.flatnonzero(np.isnan(trace.y))
        assert trace.customdata is None or trace.customdata[gap - 1] < 20_000 < trace.customdata[gap]


def test_up_to_six_runs_are_named_at_their_ends_and_more_in_a_legend() -> None:
    few = loss_figure([run(f"run-{n}", 50) for n in range(6)], View())
    assert not few.layout.showlegend and {note.text for note in few.layout.annotations} >= {"run-0", "run-5"}
    many = loss_figure([run(f"run-{n}", 50) for n in range(8)], View())
    assert many.layout.showlegend
    assert sorted(trace.name for trace in many.data if trace.showlegend) == [f"run-{n}" for n in range(8)]


def test_evaluation_sets_are_named_at_their_ends_and_many_in_a_legend() -> None:
    def chart(sets: int) -> Figure:
        losses = [
            Series(name="loss", split="validation", evaluation_set=f"set-{n}", steps=[1, 2], values=[2.0, 1.0 + n])
            for n in range(sets)
        ]
        return loss_figure([replace(run("run", 50), sets=tuple(losses))], View())

    few = chart(3)
    assert not few.layout.showlegend and {note.text for note in few.layout.annotations} >= {"set-0", "set-2"}
    many = chart(8)
    assert sorted(trace.name for trace in many.data if trace.showlegend) == [f"set-{n}" for n in range(8)]


def test_no_two_of_twenty_runs_look_alike() -> None:
    chart = loss_figure([run(f"run-{n}", 50) for n in range(20)], View())
    looks = {(trace.line.color, trace.line.dash, trace.name) for trace in chart.data if trace.name}
    assert len({look[:2] for look in looks}) == 20
