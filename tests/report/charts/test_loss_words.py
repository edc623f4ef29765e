"""The curves of a run in words."""

import numpy as np
import pytest

from medqa_core.report.charts.loss_words import describe, gradient_norm, learning_rate, sentence
from medqa_core.runs.metrics_log.log import Curve, MetricsLog
from medqa_core.runs.metrics_log.rows import NUMBERS


def curve(bad: tuple[int, ...] = (), **values: list[float]) -> Curve:
    size = max((len(column) for column in values.values()), default=0)
    columns = {name: np.full(size, np.nan) for name in NUMBERS} | {"step": np.arange(1.0, size + 1)}
    return Curve(columns | {name: np.array(column) for name, column in values.items()}, bad)


NONE = curve()


def test_from_where_to_where_the_loss_went() -> None:
    log = MetricsLog(curve(loss=[3.0, 2.0]), curve(loss=[2.5, 2.1, 2.2]))
    assert sentence(log) == (
        "Training loss fell from 3.0000 to 2.0000; validation loss was lowest, 2.1000, at step 2, and ended at 2.2000."
    )
    assert sentence(MetricsLog(NONE, curve(loss=[2.0]))) == "Validation loss was 2.0000 at step 1."
    assert sentence(MetricsLog(NONE, NONE)) == "No finite loss was logged."


def test_losses_that_are_no_numbers_are_said() -> None:
    log = MetricsLog(curve(bad=(2,), loss=[3.0, np.nan, 2.0]), NONE)
    assert sentence(log).endswith("At 1 logged step the loss was not a number.")


def test_the_values_where_the_figure_cannot_be_seen() -> None:
    told = describe(MetricsLog(curve(loss=[3.0, 1.5, 2.0]), curve(loss=[2.0])))
    assert told == (
        "Training loss: 3 values, first 3.0000 at step 1, lowest 1.5000 at step 2, last 2.0000 at step 3. "
        "Validation loss: one value, 2.0000 at step 1."
    )


@pytest.mark.parametrize(
    ("rates", "told"),
    [
        ([1e-4, 2e-3, 6.75e-9], "starts at 0.0001, peaks at 0.002, ends near 0"),
        ([1e-4, 2e-3, 5e-4], "starts at 0.0001, peaks at 0.002, ends at 0.0005"),
        ([2e-3, 0.0], "starts at 0.002, peaks at 0.002, ends at 0"),
    ],
)
def test_the_learning_rate(rates: list[float], told: str) -> None:
    assert learning_rate(curve(learning_rate=rates)) == f"Learning rate: {told}."


def test_the_gradient_norm() -> None:
    assert gradient_norm(curve(grad_norm=[1.0, 2.0, 4.0])) == "Gradient norm: median 2, at most 4."
