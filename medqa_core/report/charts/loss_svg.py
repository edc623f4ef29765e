"""A small loss curve as inline SVG: axes with their units, a text alternative, no script."""

from html import escape

import numpy as np

from medqa_core.foundation.format import general
from medqa_core.report.charts.axes import round_values
from medqa_core.report.charts.lines import Line, line, thin
from medqa_core.report.charts.loss_words import axis_title, describe
from medqa_core.report.statistics.trends import blocks
from medqa_core.runs.metrics_log.log import MetricsLog
from medqa_core.runs.schema.record import TrainingKind

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 96, 16, 44
MOST = 300
"""Points drawn of one line."""
SMOOTHED_FROM = 60
"""Logged values from which they are drawn faint, with a smoothed line on top."""
PIECES = 40
"""Points of the smoothed line, each the mean of a block of steps."""


def loss_svg(log: MetricsLog, training: TrainingKind | None = None) -> str:
    """The figure, or an empty string where there is no loss to draw.

    `training`: one whose loss is not that of predicting answers.
    """
    train, validation = line(log.train, "loss"), line(log.validation, "loss")
    if len(train) + len(validation) < 2:
        return ""
    scale = _Scale(np.concatenate([train.step, validation.step]), np.concatenate([train.y, validation.y]))
    lines = _train(scale, train) + _validation(scale, validation)
    body = scale.axes(axis_title(training)) + lines + _labels(scale, train, validation)
    return (
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="curve-title curve-text">'
        f'<title id="curve-title">Loss by optimizer step</title><desc id="curve-text">{escape(describe(log))}</desc>'
        f"{body}</svg>"
    )


def _train(scale: "_Scale", train: Line) -> str:
    if not len(train):
        return ""
    if len(train) < SMOOTHED_FROM:
        return _polyline(scale, train.step, train.y, "train")
    raw = thin(train, MOST)
    smoothed = _polyline(scale, blocks(train.step, PIECES), blocks(train.y, PIECES), "train")
    return _polyline(scale, raw.step, raw.y, "raw") + smoothed


def _validation(scale: "_Scale", validation: Line) -> str:
    if not len(validation):
        return ""
    shown = thin(validation, MOST)
    dots = zip(validation.step, validation.y, strict=True) if len(validation) <= PIECES else ()
    return _polyline(scale, shown.step, shown.y, "validation") + "".join(
        f'<circle class="dot" cx="{scale.x(step):.1f}" cy="{scale.y(loss):.1f}" r="3"/>' for step, loss in dots
    )


class _Scale:
    """Steps and losses as places on the page."""

    def __init__(self, steps: np.ndarray, losses: np.ndarray) -> None:
        self.first, self.last = float(steps.min()), float(steps.max())
        low, high = float(losses.min()), float(losses.max())
        margin = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
        self.low, self.high = low - margin, high + margin

    def x(self, step: float) -> float:
        share = (step - self.first) / (self.last - self.first) if self.last > self.first else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, loss: float) -> float:
        return TOP + (self.high - loss) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)

    def axes(self, title: str) -> str:
        parts = []
        for value in round_values(self.low, self.high):
            y = self.y(value)
            parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{general(value)}</text>')
        base, end = HEIGHT - BOTTOM, WIDTH - RIGHT
        parts.append(f'<line class="axis" x1="{LEFT}" y1="{base}" x2="{end}" y2="{base}"/>')
        for step in dict.fromkeys((self.first, round((self.first + self.last) / 2), self.last)):
            parts.append(f'<text x="{self.x(step):.1f}" y="{base + 16}" text-anchor="middle">{int(step):,}</text>')
        middle = (LEFT + end) / 2
        parts.append(f'<text x="{middle:.1f}" y="{HEIGHT - 6}" text-anchor="middle">optimizer step</text>')
        y = (TOP + base) / 2
        parts.append(f'<text transform="translate(14 {y:.1f}) rotate(-90)" text-anchor="middle">{escape(title)}</text>')
        return "".join(parts)


def _labels(scale: _Scale, train: Line, validation: Line) -> str:
    """Names at the lines' ends, moved apart where they would touch."""
    ends = [("training", train), ("validation", validation)]
    places = sorted((scale.y(float(points.y[-1])), name) for name, points in ends if len(points))
    if len(places) == 2 and places[1][0] - places[0][0] < 14:
        places = [(places[0][0] - 7, places[0][1]), (places[0][0] + 7, places[1][1])]
    x = WIDTH - RIGHT + 8
    return "".join(f'<text class="{name}-name" x="{x}" y="{y + 4:.1f}">{name}</text>' for y, name in places)


def _polyline(scale: _Scale, steps: np.ndarray, losses: np.ndarray, kind: str) -> str:
    points = " ".join(f"{scale.x(s):.1f},{scale.y(v):.1f}" for s, v in zip(steps, losses, strict=True))
    return f'<polyline class="{kind}" points="{points}"/>'
