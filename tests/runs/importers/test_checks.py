"""Each check on figures that agree, that do not, that are missing, and that are absurd."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medqa_core.runs.artifacts.mmlu import SubsetScore
from medqa_core.runs.importers import checks
from medqa_core.runs.importers.draft import Figures, half_a_unit
from medqa_core.runs.schema.record import Check

CHECKS: list[Callable[[Figures], Check]] = [
    checks.perplexity,
    checks.throughput,
    checks.step_rate,
    checks.effective_batch,
    checks.sizes,
    checks.warmup,
    checks.rouge,
]
NAMES = re.findall(
    r"\w+",
    "test_loss perplexity samples_per_second train_minutes train_seconds epochs epochs_done train_size steps "
    "steps_per_second batch_size effective_batch gradient_accumulation_steps validation_size test_size total_size "
    "warmup_steps rouge1 rouge2 rougeL final_train_loss",
)


def _figures(**values: float) -> Figures:
    figures = Figures()
    for name, value in values.items():
        figures.add(name, value)
    return figures


@pytest.mark.parametrize("check", CHECKS)
def test_without_figures_nothing_is_checked(check: Callable[[Figures], Check]) -> None:
    assert check(Figures()).passed is None


@pytest.mark.parametrize(
    ("check", "values", "passed"),
    [
        (checks.perplexity, {"test_loss": 2.0, "perplexity": 7.389}, True),
        (checks.perplexity, {"test_loss": 2.0, "perplexity": 9.1}, False),
        (checks.perplexity, {"test_loss": 5000.0, "perplexity": 9.1}, False),
        (checks.effective_batch, {"batch_size": 4, "effective_batch": 12, "gradient_accumulation_steps": 3}, True),
        (checks.effective_batch, {"batch_size": 4, "effective_batch": 12, "gradient_accumulation_steps": 2}, False),
        (checks.effective_batch, {"batch_size": 12, "effective_batch": 4}, False),
        (checks.sizes, {"train_size": 8, "validation_size": 1, "test_size": 1, "total_size": 10}, True),
        (checks.sizes, {"train_size": 8, "validation_size": 1, "test_size": 1, "total_size": 11}, False),
        (checks.throughput, {"samples_per_second": 2, "train_seconds": 99.5, "epochs": 2, "train_size": 100}, True),
        (checks.throughput, {"samples_per_second": 2, "train_seconds": 97, "epochs": 2, "train_size": 100}, False),
        (checks.throughput, {"samples_per_second": 2.1, "train_seconds": 97, "epochs": 2, "train_size": 100}, True),
        (checks.throughput, {"samples_per_second": 2, "train_seconds": 97, "epochs": 0, "train_size": 100}, None),
        # Trainer rounds the planned epochs up where the number of steps was set
        (
            checks.throughput,
            {"samples_per_second": 2, "train_seconds": 25, "epochs": 1, "epochs_done": 0.5, "train_size": 100},
            True,
        ),
    ],
)
def test_outcomes(check: Callable[[Figures], Check], values: dict[str, float], passed: bool | None) -> None:
    assert check(_figures(**values)).passed is passed


@pytest.mark.parametrize(
    ("text", "half"),
    [("7.71", 0.005), ("7.70", 0.005), ("12", 0), ("1e-05", 5e-6), ("3,500", 0), ("x", 0), ("1e400", 0)],
)
def test_how_far_a_stated_figure_may_be_rounded(text: str, half: float) -> None:
    assert half_a_unit(text) == pytest.approx(half)


def test_the_written_digits_count_and_not_the_float_s() -> None:
    figures = Figures()
    figures.add("test_loss", 2.0, "2.0000")
    figures.add("perplexity", 7.4, "7.40")
    assert checks.perplexity(figures).passed is False  # to one digit it would pass
    assert checks.perplexity(_figures(test_loss=2.0, perplexity=7.4)).passed is True


def test_a_standard_error_with_either_divisor_fits() -> None:
    for divisor in (99, 100):
        score = SubsetScore("medical_genetics", 0.3, (0.21 / divisor) ** 0.5, 100)
        assert [check.passed for check in checks.mmlu([score])] == [True]


@given(st.dictionaries(st.sampled_from(NAMES), st.one_of(st.integers(), st.floats())))
def test_no_figures_raise(values: dict[str, float]) -> None:
    figures = _figures(**values)
    for check in CHECKS:
        assert "\n" not in check(figures).detail
    checks.training_against_test(figures)
