"""Arithmetic on curves: smoothing, and thinning to as many points as a screen can show."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from medqa_core.runs.series import Curve

MOST_POINTS = 2000


@dataclass(frozen=True)
class Line:
    """Finite points of one curve in order of x, with the step of each."""

    x: np.ndarray
    y: np.ndarray
    step: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def at(self, places: np.ndarray) -> "Line":
        """The line at these places only."""
        return Line(self.x[places], self.y[places], self.step[places])


def line(curve: Curve, y: str, x: str = "step") -> Line:
    """Column `y` of a curve over column `x`; rows in which one of them is missing are left out."""
    kept = np.isfinite(curve[x]) & np.isfinite(curve[y])
    return Line(curve[x][kept], curve[y][kept], curve["step"][kept])


def smooth(values: np.ndarray, weight: float) -> np.ndarray:
    """The exponential moving average, corrected for its start; `weight` 0 leaves the values as they are."""
    if weight <= 0 or len(values) < 2:
        return values
    result = np.empty_like(values)
    total = norm = 0.0
    for place, value in enumerate(values):
        total = weight * total + (1 - weight) * value
        norm = weight * norm + (1 - weight)
        result[place] = total / norm
    return result


def thin(points: Line, most: int = MOST_POINTS) -> Line:
    """At most `most` points with the same outline: of each bucket the lowest and the highest, and both ends."""
    if len(points) <= most:
        return points
    edges = np.linspace(1, len(points) - 1, max(1, (most - 2) // 2) + 1).astype(int)
    kept = {0, len(points) - 1}
    for start, end in pairwise(edges):
        if end > start:
            bucket = points.y[start:end]
            kept.update((start + int(bucket.argmin()), start + int(bucket.argmax())))
    return points.at(np.array(sorted(kept)))
