"""The figures of how training went: loss, learning rate, gradient norm."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from medqa_core.runs.metrics_log.log import Curve, MetricsLog
from medqa_core.runs.metrics_log.rows import NUMBERS
from medqa_core.runs.snapshot import RunSnapshot
from pages.shared import charts, theme
from pages.shared.curves import Line, broken, line, share, smooth, thin

Axis = Literal["step", "epoch"]
TITLES = {"step": "optimizer step", "epoch": "epoch (passes over the training set)"}


@dataclass(frozen=True)
class RunCurve:
    """One run's curve with the checkpoint that was kept."""

    label: str
    metrics_log: MetricsLog
    best_step: int | None = None

    @classmethod
    def of(cls, run: RunSnapshot) -> "RunCurve":
        """The curve of a run as it was when the snapshot was taken."""
        return cls(run.id, run.metrics_log, run.status.best.step if run.status and run.status.best else None)


@dataclass(frozen=True)
class View:
    """How the visitor wants to see the loss."""

    axis: Axis = "step"
    smoothing: float = 0.6
    log: bool = False
    height: int = 400


def loss(runs: list[RunCurve], view: View) -> go.Figure:
    """Training loss faint and smoothed, validation loss with its points; of several runs each in its own colour."""
    p = theme.palette()
    chart = charts.figure(view.height, x=TITLES[view.axis], y="loss (nats per token)", log=view.log)
    ends: list[tuple[str, Line, str]] = []
    most = _share(runs)
    for place, run in enumerate(runs):
        colour = p.tuned if len(runs) == 1 else p.runs[place % len(p.runs)]
        dash = theme.DASHES[(place + place // len(p.runs)) % len(theme.DASHES)]  # another pairing in each round
        train, validation = (line(c, "loss", view.axis) for c in (run.metrics_log.train, run.metrics_log.validation))
        name = run.label if len(runs) > 1 else ""
        smoothed = Line(train.x, smooth(train.y, view.smoothing), train.step)
        bad, bad_validation = run.metrics_log.train.non_finite_steps, run.metrics_log.validation.non_finite_steps
        if view.smoothing > 0 and not name and len(train):
            _raw(chart, _packed(broken(thin(train, most), bad)), colour)
        if len(train):
            _train(chart, _packed(broken(thin(smoothed, most), bad)), view, colour, dash, name)
        if len(validation):
            shown = _packed(broken(thin(validation, most), bad_validation))
            _validation(chart, shown, p.text if len(runs) == 1 else colour, dash, name)
            _mark_best(chart, validation, run.best_step, p, word=not name)
        if view.axis == "step":
            _mark_non_finite(chart, run.metrics_log.train, p)
        if len(runs) > 1 and (len(validation) or len(train)):
            ends.append((name, validation if len(validation) else train, colour))
        elif len(runs) == 1:
            ends += [("validation", validation, p.text)] * bool(len(validation))
            ends += [("training", smoothed, colour)] * bool(len(train))
    _label(chart, ends, view)
    _fit(chart)
    return chart


def other(run: RunCurve, column: str, title: str, axis: Axis) -> go.Figure:
    """Learning rate or gradient norm over the run."""
    chart = charts.figure(230, x=TITLES[axis], y=title)
    points = _packed(thin(line(run.metrics_log.train, column, axis)))
    chart.add_scatter(
        x=points.x,
        y=points.y,
        customdata=points.step,
        mode="lines",
        line={"color": theme.palette().tuned, "width": 1.6},
        hovertemplate=f"{title} %{{y:.6g}}<br>step %{{customdata}}<extra></extra>",
    )
    chart.update_yaxes(rangemode="tozero", exponentformat="power")
    return chart


def frame(runs: list[RunCurve]) -> pd.DataFrame:
    """The rows behind the figures, unsmoothed and whole."""
    parts = [
        pd.DataFrame({"run": run.label, "split": split, **curve.columns})
        for run in runs
        for split, curve in (("train", run.metrics_log.train), ("validation", run.metrics_log.validation))
    ]
    return pd.concat(parts) if parts else pd.DataFrame(columns=["run", "split", *NUMBERS])


def _share(runs: list[RunCurve]) -> int:
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
        line={"color": theme.faint(colour), "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )


def _train(chart: go.Figure, points: Line, view: View, colour: str, dash: str, name: str) -> None:
    chart.add_scatter(
        x=points.x,
        y=points.y,
        customdata=points.step,
        name=charts.plain(name),
        legendgroup=name,
        mode="lines",
        line={"color": colour, "width": 1.6, "dash": dash},
        hovertemplate=_hover(name, "training" + (", smoothed" if view.smoothing > 0 else "")),
    )


def _validation(chart: go.Figure, points: Line, colour: str, dash: str, name: str) -> None:
    chart.add_scatter(
        x=points.x,
        y=points.y,
        customdata=points.step,
        name=charts.plain(name),
        legendgroup=name,
        mode="lines+markers" if len(points) <= 60 else "lines",
        line={"color": colour, "width": 2.2, "dash": dash},
        marker={"size": 6, "color": colour},
        hovertemplate=_hover(name, "validation"),
    )


def _mark_best(chart: go.Figure, points: Line, step: int | None, p: theme.Palette, *, word: bool) -> None:
    """A ring around the checkpoint that was kept, where the run says which."""
    found = np.flatnonzero(points.step == step) if step is not None else np.array([], dtype=int)
    if len(found):
        best = points.at(found[:1])
        chart.add_scatter(
            x=best.x,
            y=best.y,
            mode="markers",
            marker={"size": 15, "symbol": "circle-open", "color": p.better, "line": {"width": 2}},
            hovertemplate=f"checkpoint that was kept: step {step}, loss %{{y:.6f}}<extra></extra>",
        )
        if word:
            y = float(best.y[0])
            font = {"color": p.better, "size": 12}
            where = {"x": float(best.x[0]), "y": float(np.log10(y)) if chart.layout.yaxis.type == "log" else y}
            late = best.x[0] > (points.x[0] + points.x[-1]) / 2
            beside = {"xanchor": "right" if late else "left", "xshift": -9 if late else 9, "yshift": 14}
            chart.add_annotation(**where, **beside, text="kept", showarrow=False, font=font)


def _mark_non_finite(chart: go.Figure, curve: Curve, p: theme.Palette) -> None:
    """A cross at the foot of each step whose loss was not a number."""
    if curve.non_finite_steps:
        chart.add_scatter(
            x=np.array(curve.non_finite_steps[:200]),
            y=np.full(len(curve.non_finite_steps[:200]), float(np.nanmin(curve["loss"])) if len(curve) else 1.0),
            mode="markers",
            marker={"symbol": "x", "size": 8, "color": p.worse},
            hovertemplate="loss is not a number at step %{x}<extra></extra>",
        )


def _label(chart: go.Figure, ends: list[tuple[str, Line, str]], view: View) -> None:
    if not ends or len(ends) > 6:
        _legend(chart)
        return
    heights = [np.log10(e.y[-1]) if view.log and e.y[-1] > 0 else e.y[-1] for _, e, _ in ends]
    lows = [float(np.nanmin(e.y)) for _, e, _ in ends]
    highs = [float(np.nanmax(e.y)) for _, e, _ in ends]
    low, high = (np.log10(max(min(lows), 1e-9)), np.log10(max(highs))) if view.log else (min(lows), max(highs))
    shifts = charts.apart([float(h) for h in heights], float(low), float(high), view.height - 70)
    widest = 0
    for (text, points, colour), shift in zip(ends, shifts, strict=True):
        shown = text if len(text) <= 18 else text[:17] + "…"
        widest = max(widest, len(shown))
        charts.end_label(chart, shown, float(points.x[-1]), float(points.y[-1]), colour, log=view.log, shift=shift)
    chart.update_layout(margin={"r": 16 + 7 * widest})


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
    prefix = f"{charts.plain(name)}: " if name else ""
    return f"{prefix}{what} %{{y:.6f}}<br>step %{{customdata}}<extra></extra>"
