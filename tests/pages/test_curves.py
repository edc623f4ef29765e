"""Smoothing and thinning."""

import numpy as np
import pytest

from medqa_core.runs.series import NUMBERS, Curve
from pages.parts.curves import Line, line, smooth, thin


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
