"""Arithmetic on curves: smoothing, gaps, and thinning to as many points as a screen or a page can show."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import numpy as np
from tsdownsample import MinMaxLTTBDownsampler

from medqa_core.runs.metrics_log.log import Curve

MOST_POINTS = 2000
"""Points of one line on a screen."""
BLOCK = 64
"""Points that are smoothed at a time."""
CHART_POINTS = 5000
"""Points of all lines of a chart: at 24 bytes each in base 64 they stay below 200 KB."""


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
    found = Line(curve[x], curve[y], curve["step"])
    return found if kept.all() else found.at(kept)


def smooth(values: np.ndarray, weight: float) -> np.ndarray:
    """The exponential moving average, corrected for its start; `weight` 0 leaves the values as they are."""
    if weight <= 0 or len(values) < 2:
        return values
    # In blocks: within one a matrix of the weight's powers, from one to the next what is left of all before. (pandas
    # has this average too, but takes longer to import than a chart to draw.)
    powers = weight ** np.arange(BLOCK + 1)
    within = np.tril(weight ** np.abs(np.subtract.outer(np.arange(BLOCK), np.arange(BLOCK))))
    blocks = np.pad(values, (0, -len(values) % BLOCK)).reshape(-1, BLOCK) @ within.T
    left = accumulate(blocks[:-1, -1], lambda before, last: before * powers[BLOCK] + last)
    sums = blocks + np.outer(np.fromiter(chain([0.0], left), float, len(blocks)), powers[1:])
    norms = (1 - weight ** np.arange(1, len(values) + 1)) / (1 - weight)
    smoothed: np.ndarray = sums.reshape(-1)[: len(values)] / norms
    return smoothed


def share(lines: int) -> int:
    """Points that each of so many lines of a chart may have."""
    return max(50, min(MOST_POINTS, CHART_POINTS // max(1, lines)))


def thin(points: Line, most: int = MOST_POINTS) -> Line:
    """At most `most` points with the same outline, both ends, the lowest and the highest among them."""
    if len(points) <= most:
        return points
    y = np.ascontiguousarray(points.y)
    outline = MinMaxLTTBDownsampler().downsample(y, n_out=most - 2)  # type: ignore[no-untyped-call]
    return points.at(np.union1d(outline, [0, y.argmin(), y.argmax(), len(y) - 1]).astype(np.intp))


def broken(points: Line, steps: Sequence[int]) -> Line:
    """The line with a gap wherever one of `steps`, at which there was no number, lies between two of its points."""
    after = np.unique(np.searchsorted(points.step, np.asarray(steps, dtype=np.float64)))
    after = after[(after > 0) & (after < len(points))]
    if not len(after):
        return points
    x, step = (np.insert(values, after, values[after]) for values in (points.x, points.step))
    return Line(x, np.insert(points.y, after, np.nan), step)
