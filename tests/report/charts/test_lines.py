"""Smoothing and thinning."""

import numpy as np
import pytest

from medqa_core.report.charts.lines import CHART_POINTS, MOST_POINTS, Line, broken, line, share, smooth, thin
from medqa_core.runs.metrics_log.log import Curve
from medqa_core.runs.metrics_log.rows import NUMBERS


def curve(steps: np.ndarray, losses: np.ndarray) -> Curve:
    columns = {name: np.full(len(steps), np.nan) for name in NUMBERS}
    return Curve(columns | {"step": steps.astype(float), "loss": losses, "epoch": steps / 10})


def test_line_leaves_out_what_is_not_a_number() -> None:
    found = line(curve(np.array([1, 2, 3]), np.array([2.0, np.nan, 1.0])), "loss", "epoch")
    assert found.x.tolist() == [0.1, 0.3] and found.y.tolist() == [2.0, 1.0] and found.step.tolist() == [1, 3]


def test_smoothing_keeps_a_constant_and_its_first_value() -> None:
    assert smooth(np.full(50, 3.0), 0.9) == pytest.approx(np.full(50, 3.0))
    noisy = np.array([2.0, 4.0, 0.0])
    assert smooth(noisy, 0.6)[0] == 2.0
    assert smooth(noisy, 0.0) is noisy


def test_smoothing_is_the_average_with_its_start_corrected() -> None:
    noisy, weight = np.random.default_rng(3).normal(size=300), 0.6
    total = norm = 0.0
    for place, (value, found) in enumerate(zip(noisy, smooth(noisy, weight), strict=True)):
        total, norm = weight * total + (1 - weight) * value, weight * norm + (1 - weight)
        assert found == pytest.approx(total / norm, rel=1e-12), place


def test_smoothing_calms() -> None:
    noisy = np.random.default_rng(0).normal(size=500)
    assert smooth(noisy, 0.9).std() < 0.5 * noisy.std()


@pytest.mark.parametrize("size", [0, 1, 2000, 2001, 5000, 100_000])
def test_thinning_keeps_ends_extremes_and_order(size: int) -> None:
    y = np.random.default_rng(1).normal(size=size)
    x = np.arange(size, dtype=float)
    thinned = thin(Line(x, y, x))
    assert len(thinned) <= 2000
    assert np.all(np.diff(thinned.x) > 0)
    if size:
        assert (thinned.x[0], thinned.x[-1]) == (x[0], x[-1])
        assert (thinned.y.min(), thinned.y.max()) == (y.min(), y.max())
    if size <= 2000:
        assert len(thinned) == size


@pytest.mark.parametrize("spike", [1, 777, 33_333, 99_998])
def test_thinning_keeps_a_single_spike(spike: int) -> None:
    y = np.random.default_rng(2).normal(size=100_000)
    y[spike], y[-1 - spike] = 50.0, -50.0
    x = np.arange(len(y), dtype=float)
    thinned = thin(Line(x, y, x), 100)
    assert len(thinned) <= 100
    assert thinned.y.max() == 50.0 and thinned.y.min() == -50.0


def test_points_are_shared_by_the_lines_of_a_chart() -> None:
    assert share(1) == MOST_POINTS
    for lines in range(1, 41):
        assert 50 <= share(lines) <= MOST_POINTS and lines * share(lines) <= CHART_POINTS


def test_a_gap_where_there_was_no_number() -> None:
    steps = np.arange(1.0, 7.0)
    points = Line(steps, steps * 10, steps).at(np.array([0, 1, 4, 5]))
    gaps = broken(points, (3, 4, 9, 0))
    assert gaps.x.tolist() == [1, 2, 5, 5, 6] and gaps.step.tolist() == gaps.x.tolist()
    np.testing.assert_array_equal(gaps.y, [10, 20, np.nan, 50, 60])
    assert broken(points, ()) is points and broken(points, (7,)) is points
