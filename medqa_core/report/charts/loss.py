"""The figures of how training went: loss, learning rate, gradient norm."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import plotly.graph_objects as go

from medqa_core.report.charts.figure import end_label, figure, label_shifts, plain
from medqa_core.report.charts.lines import Line, broken, line, share, smooth, thin
from medqa_core.report.charts.loss_words import axis_title
from medqa_core.report.charts.palette import DASHES, LIGHT, Palette, faint
from medqa_core.report.charts.run_curve import RunCurve
from medqa_core.runs.artifacts.series import Series
from medqa_core.runs.metrics_log.log import Curve
from medqa_core.runs.metrics_log.rows import NUMBERS

if TYPE_CHECKING:
    import pandas as pd


Axis = Literal["step", "epoch"]
TITLES = {"step": "optimizer step", "epoch": "epoch (passes over the training set)"}
NAMED_AT_ENDS = 6
"""Lines up to which each is named at its end; of more the names would overlap, and a legend is drawn."""
FLOOR = 1e-9
"""The smallest loss that a logarithmic axis is laid out for."""


@dataclass(frozen=True)
class View:
    """How the reader wants to see the loss."""

    axis: Axis = "step"
    smoothing: float = 0.6
    """Weight of the past in the moving average, from 0 (none) to below 1."""
    log: bool = False
    height: int = 400
    """Pixels."""


@dataclass(frozen=True)
class _Look:
    """How the lines of one run are drawn."""

    name: str
    """Empty where the chart shows one run only."""
    train: str
    validation: str
    dash: str


@dataclass(frozen=True)
class _End:
    """A line that gets its name at its end."""

    name: str
    line: Line
    colour: str


def loss_figure(runs: list[RunCurve], view: View | None = None, palette: Palette = LIGHT) -> go.Figure:
    """Training loss faint and smoothed, validation loss with its points; of several runs each in its own colour."""
    view = view or View()
    y = axis_title(next((run.training for run in runs if run.training is not None), None))
    chart = figure(view.height, x=TITLES[view.axis], y=y, log=view.log, palette=palette)
    most, ends = _points_a_line(runs), list[_End]()
    for place, run in enumerate(runs):
        ends += _draw(chart, run, view, _look(run, place, len(runs), palette), most, palette)
    if view.log and not any((trace.y > 0).any() for trace in chart.data):
        # Losses of a policy training may all lie below zero, where a logarithmic axis has no place for them.
        view = replace(view, log=False)
        chart.update_yaxes(type="linear")
    _label(chart, ends, view, palette)
    _fit(chart)
    return chart


def column_figure(run: RunCurve, column: str, title: str, axis: Axis = "step", palette: Palette = LIGHT) -> go.Figure:
    """Learning rate or gradient norm over the run."""
    chart = figure(230, x=TITLES[axis], y=title, palette=palette)
    points = _packed(thin(line(run.metrics_log.train, column, axis)))
    chart.add_scatter(
        x=points.x,
        y=points.y,
        customdata=points.step,
        mode="lines",
        line={"color": palette.tuned, "width": 1.6},
        hovertemplate=f"{title} %{{y:.6g}}<br>step %{{customdata}}<extra></extra>",
    )
    chart.update_yaxes(rangemode="tozero", exponentformat="power")
    return chart


def series_figure(series: Series, palette: Palette = LIGHT) -> go.Figure:
    """One series of an imported run over its steps."""
    chart = figure(230, x=TITLES["step"], y=series.label, palette=palette)
    steps, values = series.arrays
    points = _packed(thin(Line(steps, values, steps)))
    chart.add_scatter(
        x=points.x,
        y=points.y,
        mode=_mode(points),
        line={"color": palette.tuned, "width": 1.6},
        hovertemplate=f"{plain(series.label)} %{{y:.6g}}<br>step %{{x}}<extra></extra>",
    )
    return chart


def curve_frame(runs: list[RunCurve]) -> "pd.DataFrame":
    """The rows behind the figures, unsmoothed and whole."""
    import pandas as pd

    parts = [
        pd.DataFrame({"run": run.label, "split": split, **curve.columns})
        for run in runs
        for split, curve in (("train", run.metrics_log.train), ("validation", run.metrics_log.validation))
    ]
    return pd.concat(parts) if parts else pd.DataFrame(columns=["run", "split", *NUMBERS])


def _look(run: RunCurve, place: int, runs: int, palette: Palette) -> _Look:
    if runs == 1:
        return _Look("", palette.muted, palette.tuned, DASHES[0])  # as in the report's own curve
    colour = palette.runs[place % len(palette.runs)]
    dash = DASHES[(place + place // len(palette.runs)) % len(DASHES)]  # another pairing in each round
    return _Look(run.label, colour, colour, dash)


def _draw(chart: go.Figure, run: RunCurve, view: View, look: _Look, most: int, palette: Palette) -> list[_End]:
    """One run's lines and marks; the lines to be named at their ends."""
    log = run.metrics_log
    train, validation = (line(curve, "loss", view.axis) for curve in (log.train, log.validation))
    smoothed = Line(train.x, smooth(train.y, view.smoothing), train.step)
    if len(train):
        if view.smoothing > 0 and not look.name:
            _raw(chart, _shown(train, most, log.train), look.train)
        _train(chart, _shown(smoothed, most, log.train), view, look)
    if len(validation):
        _validation(chart, _shown(validation, most, log.validation), look)
        _mark_best(chart, validation, run.best_step, palette, word=not look.name)
    sets = [] if look.name else _sets(chart, run, view, look)
    if view.axis == "step":
        _mark_non_finite(chart, log.train, palette)
    ends = [_End("validation", validation, look.validation), _End("training", smoothed, look.train), *sets]
    if look.name:
        ends = [_End(look.name, validation if len(validation) else train, look.train)]
    return [end for end in ends if len(end.line)]


def _sets(chart: go.Figure, run: RunCurve, view: View, look: _Look) -> list[_End]:
    """The losses of several evaluation sets, a line each; their names for the ends."""
    ends = []
    for place, one in enumerate(run.sets):
        name, (steps, losses) = one.evaluation_set or "", one.arrays
        x = steps if view.axis == "step" else _epochs(run.metrics_log.train, steps)
        points = Line(x, losses, steps)
        if not len(points) or not np.isfinite(x).all():
            continue
        points = thin(points, share(2 + len(run.sets)))
        own = replace(look, name=name, dash=DASHES[place % len(DASHES)])
        _validation(chart, points, own, symbol=place % 8)
        ends.append(_End(name, points, look.validation))
    return ends


def _epochs(train: Curve, steps: np.ndarray) -> np.ndarray:
    """The epochs at these steps, from the rows of the training; NaN where those state none."""
    kept = np.isfinite(train["epoch"])
    if not kept.any():
        return np.full(len(steps), np.nan)
    found: np.ndarray = np.interp(steps, train["step"][kept], train["epoch"][kept])
    return found


def _shown(points: Line, most: int, curve: Curve) -> Line:
    """The points that are sent: thinned, with a gap where the loss was not a number."""
    return _packed(broken(thin(points, most), curve.non_finite_steps))


def _points_a_line(runs: list[RunCurve]) -> int:
    """Points of each line; a line with gaps may need as many again for them."""
    lines = 3 if len(runs) == 1 else 2 * len(runs)
    gaps = any(c.non_finite_steps for run in runs for c in (run.metrics_log.train, run.metrics_log.validation))
    return share(2 * lines if gaps else lines)


def _packed(points: Line) -> Line:
    """The same points in fewer bytes: whole steps need no 64-bit float, neither as values of x nor in the hover."""
    if not len(points) or points.step.max() >= 2**31:
        return points
    step = points.step.astype(np.int32)
    return Line(step if np.array_equal(points.x, points.step) else points.x, points.y, step)


def _raw(chart: go.Figure, points: Line, colour: str) -> None:
    chart.add_scatter(
        x=points.x,
        y=points.y,
        mode="lines",
        line={"color": faint(colour), "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )


def _train(chart: go.Figure, points: Line, view: View, look: _Look) -> None:
    chart.add_scatter(
        x=points.x,
        y=points.y,
        customdata=points.step,
        name=plain(look.name),
        legendgroup=look.name,
        mode="lines",
        line={"color": look.train, "width": 1.6, "dash": look.dash},
        hovertemplate=_hover(look.name, "training" + (", smoothed" if view.smoothing > 0 else "")),
    )


def _validation(chart: go.Figure, points: Line, look: _Look, symbol: int = 0) -> None:
    chart.add_scatter(
        x=points.x,
        y=points.y,
        customdata=points.step,
        name=plain(look.name),
        legendgroup=look.name,
        mode=_mode(points),
        line={"color": look.validation, "width": 2.2, "dash": look.dash},
        marker={"size": 6, "color": look.validation, "symbol": symbol},
        hovertemplate=_hover(look.name, "validation"),
    )


def _mode(points: Line) -> str:
    """A few points are shown one by one."""
    return "lines+markers" if len(points) <= 60 else "lines"


def _mark_best(chart: go.Figure, points: Line, step: int | None, palette: Palette, *, word: bool) -> None:
    """A ring around the checkpoint that was kept, where the run says which."""
    found = np.flatnonzero(points.step == step) if step is not None else np.array([], dtype=int)
    if len(found):
        best = points.at(found[:1])
        chart.add_scatter(
            x=best.x,
            y=best.y,
            mode="markers",
            marker={"size": 15, "symbol": "circle-open", "color": palette.better, "line": {"width": 2}},
            hovertemplate=f"checkpoint that was kept: step {step}, loss %{{y:.6f}}<extra></extra>",
        )
        if word:  # above the plot, where no line is
            x, font = float(best.x[0]), {"color": palette.better, "size": 12}
            late = x > (points.x[0] + points.x[-1]) / 2
            chart.add_shape(
                type="line",
                x0=x,
                x1=x,
                y0=0,
                y1=1,
                yref="paper",
                line={"color": palette.better, "width": 1, "dash": "dot"},
            )
            where = {"x": x, "y": 1, "yref": "paper", "yanchor": "bottom", "xanchor": "right" if late else "left"}
            chart.add_annotation(**where, text=f"kept: step {step:,}", showarrow=False, font=font)
            chart.update_layout(margin={"t": 24})


def _mark_non_finite(chart: go.Figure, curve: Curve, palette: Palette) -> None:
    """A cross at the foot of each step whose loss was not a number."""
    if curve.non_finite_steps:
        chart.add_scatter(
            x=np.array(curve.non_finite_steps[:200]),
            y=np.full(len(curve.non_finite_steps[:200]), float(np.nanmin(curve["loss"])) if len(curve) else 1.0),
            mode="markers",
            marker={"symbol": "x", "size": 8, "color": palette.worse},
            hovertemplate="loss is not a number at step %{x}<extra></extra>",
        )


def _label(chart: go.Figure, ends: list[_End], view: View, palette: Palette) -> None:
    if not ends or len(ends) > NAMED_AT_ENDS:
        _legend(chart)
        return
    heights = [_height(end.line.y[-1], view) for end in ends]
    lows = [float(np.nanmin(end.line.y)) for end in ends]
    highs = [float(np.nanmax(end.line.y)) for end in ends]
    low, high = (_height(max(end, FLOOR) if view.log else end, view) for end in (min(lows), max(highs)))
    shifts = label_shifts(heights, low, high, view.height - 70)
    widest = 0
    for end, shift in zip(ends, shifts, strict=True):
        shown = end.name if len(end.name) <= 18 else end.name[:17] + "…"
        widest = max(widest, len(shown))
        x, y = float(end.line.x[-1]), float(end.line.y[-1])
        end_label(chart, shown, x, y, end.colour, log=view.log, shift=shift, palette=palette)
    chart.update_layout(margin={"r": 16 + 7 * widest})


def _height(loss: float, view: View) -> float:
    """Where a loss stands on the axis."""
    return float(np.log10(loss) if view.log and loss > 0 else loss)


def _legend(chart: go.Figure) -> None:
    """Each run once, above the plot: names at the lines' ends would lie on each other."""
    chart.update_layout(showlegend=True)
    listed: set[str] = set()
    for trace in reversed(chart.data):  # the validation line, where there is one, is the plainer sample
        trace.showlegend = bool(trace.name) and trace.name not in listed
        listed.add(trace.name or "")


def _fit(chart: go.Figure) -> None:
    """The x axis ends where the data end, so that the labels stand in the margin."""
    ends = [(float(t.x.min()), float(t.x.max())) for t in chart.data if t.x is not None and len(t.x)]
    if ends:
        low, high = min(e[0] for e in ends), max(e[1] for e in ends)
        pad = 0.02 * ((high - low) or 1.0)
        chart.update_xaxes(range=[low - pad, high + pad])


def _hover(name: str, what: str) -> str:
    prefix = f"{plain(name)}: " if name else ""
    return f"{prefix}{what} %{{y:.6f}}<br>step %{{customdata}}<extra></extra>"
