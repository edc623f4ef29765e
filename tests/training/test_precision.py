"""Which precision a run is trained in: asked for, measured, recorded, or impossible."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import LoadedModel
from medqa_core.runs.schema.record import EnvironmentRecord, TrainingPrecision
from medqa_core.training import precision as module
from medqa_core.training.precision import measured_speedup, recorded_precision, resolve
from tests.support.runs import record
from tests.training.toy_state import config, toy


@pytest.fixture
def base(lab: Settings) -> LoadedModel:
    """The toy, as if it had a hundred million weights."""
    return replace(toy(lab), parameters=100_000_000)


def measured(monkeypatch: pytest.MonkeyPatch, speedup: float) -> None:
    monkeypatch.setattr(module, "measured_speedup", lambda *_: speedup)


@pytest.mark.parametrize(
    ("asked", "speedup", "expected", "said"),
    [
        ("auto", 3.62, "bfloat16", "bfloat16 (bfloat16 measured 3.6 times as fast as float32)"),
        ("auto", 1.1, "float32", "float32: bfloat16 gains too little on this CPU (measured 1.1 times as fast as float32)"),
        ("auto", 0.12, "float32", "float32: bfloat16 is slower on this CPU (measured 0.12 times as fast as float32)"),
        ("bfloat16", 0.12, "bfloat16", "bfloat16 as configured, slower on this CPU (measured 0.12 times as fast as float32)"),
        ("float32", 9.0, "float32", "float32 as configured"),
    ],
)  # fmt: skip
def test_a_cpu_is_measured(
    base: LoadedModel, monkeypatch: pytest.MonkeyPatch, asked: str, speedup: float, expected: str, said: str
) -> None:
    measured(monkeypatch, speedup)
    found = resolve(config(precision=asked), base)
    assert (found.precision, str(found)) == (expected, said)
