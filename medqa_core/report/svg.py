"""A small loss curve as inline SVG: axes with their units, a text alternative, no script."""

import math
from html import escape

import numpy as np

from medqa_core.foundation.format import general, number
from medqa_core.report.facts import Facts, Points

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 96, 16, 44
MOST = 300
"""Points drawn of one line; of a longer one each block of steps is drawn by its lowest and highest value."""
SMOOTHED_FROM = 60
PIECES = 40


def loss_curve(facts: Facts) -> str:
    """The figure, or an empty string where there is no loss to draw."""
    train, validation = Points.of(facts.metrics_log.train), Points.of(facts.metrics_log.validation)
    if len(train) + len(validation) < 2:
        return ""
    scale = _Scale(np.concatenate([train.steps, validation.steps]), np.concatenate([train.losses, validation.losses]))
    body = scale.axes()
    if len(train):
        smooth = len(train) >= SMOOTHED_FROM
        body += _line(scale, *_thinned(train.steps, train.losses), "raw" if smooth else "train")
        if smooth:
            body += _line(scale, _pieces(train.steps), _pieces(train.losses), "train")
    if len(validation):
        body += _line(scale, *_thinned(validation.steps, validation.losses), "validation")
        if len(validation) <= PIECES:
            body += "".join(
                f'<circle class="dot" cx="{scale.x(s):.1f}" cy="{scale.y(v):.1f}" r="3"/>'
                for s, v in zip(validation.steps, validation.losses, strict=True)
            )
    body += _labels(scale, train, validation)
    alternative = escape(describe(train, validation))
    return (
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="curve-title curve-text">'
        f'<title id="curve-title">Loss by optimizer step</title><desc id="curve-text">{alternative}</desc>{body}</svg>'
    )


def describe(train: Points, validation: Points) -> str:
    """The curve in words."""
    said = []
    for name, points in (("Training", train), ("Validation", validation)):
        if len(points) == 1:
            said.append(f"{name} loss: one value, {number(float(points.losses[0]))} at step {points.step(0):,}.")
        elif len(points):
            said.append(
                f"{name} loss: {len(points):,} values, first {number(float(points.losses[0]))} at step "
                f"{points.step(0):,}, lowest {number(float(points.losses[points.best]))} at step "
                f"{points.step(points.best):,}, last {number(float(points.losses[-1]))} at step "
                f"{points.step(len(points) - 1):,}."
            )
    return " ".join(said)


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

    def ticks(self) -> list[float]:
        """Round losses between the ends, about four of them."""
        rough = (self.high - self.low) / 4
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
        return [round(i * step, 9) for i in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]

    def axes(self) -> str:
        parts = []
        for value in self.ticks():
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
        parts.append(
            f'<text transform="translate(14 {y:.1f}) rotate(-90)" text-anchor="middle">loss (nats per token)</text>'
        )
        return "".join(parts)


def _labels(scale: _Scale, train: Points, validation: Points) -> str:
    """Names at the lines' ends, moved apart where they would touch."""
    ends = [("training", train), ("validation", validation)]
    places = [(scale.y(float(points.losses[-1])), name) for name, points in ends if len(points)]
    places.sort()
    if len(places) == 2 and places[1][0] - places[0][0] < 14:
        places = [(places[0][0] - 7, places[0][1]), (places[0][0] + 7, places[1][1])]
    x = WIDTH - RIGHT + 8
    return "".join(f'<text class="{name}-name" x="{x}" y="{y + 4:.1f}">{name}</text>' for y, name in places)


def _line(scale: _Scale, steps: np.ndarray, losses: np.ndarray, kind: str) -> str:
    points = " ".join(f"{scale.x(s):.1f},{scale.y(v):.1f}" for s, v in zip(steps, losses, strict=True))
    return f'<polyline class="{kind}" points="{points}"/>'


def _thinned(steps: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(steps) <= MOST:
        return steps, losses
    kept: list[int] = []
    for part in np.array_split(np.arange(len(steps)), MOST // 2):
        ends = (int(part[np.argmin(losses[part])]), int(part[np.argmax(losses[part])]))
        kept += sorted(set(ends))
    return steps[kept], losses[kept]


def _pieces(values: np.ndarray) -> np.ndarray:
    return np.array([part.mean() for part in np.array_split(values, PIECES)])
