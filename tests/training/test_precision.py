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
        ("auto", 3.62, "bfloat16", "bfloat16 (measured 3.6 times"),
        ("auto", 1.1, "float32", "float32: bfloat16 gains too little on this CPU (measured 1.1 times"),
        ("auto", 0.12, "float32", "float32: bfloat16 is slower on this CPU (measured 0.12 times"),
        ("bfloat16", 0.12, "bfloat16", "bfloat16 as configured, slower on this CPU (measured 0.12 times"),
        ("float32", 9.0, "float32", "float32 as configured"),
    ],
)  # fmt: skip
def test_a_cpu_is_measured(
    base: LoadedModel, monkeypatch: pytest.MonkeyPatch, asked: str, speedup: float, expected: str, said: str
) -> None:
    measured(monkeypatch, speedup)
    found = resolve(config(precision=asked), base)
    assert found.precision == expected
    assert str(found).removesuffix(" as fast as float32)") == said


def test_a_small_model_is_not_measured(lab: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "measured_speedup", lambda *_: pytest.fail("measured"))
    assert resolve(config(), toy(lab)).reason == "small model"


@pytest.mark.parametrize("recorded", ["float32", "bfloat16"])
def test_a_recorded_precision_is_kept(
    base: LoadedModel, monkeypatch: pytest.MonkeyPatch, recorded: TrainingPrecision
) -> None:
    monkeypatch.setattr(module, "measured_speedup", lambda *_: pytest.fail("measured"))
    assert resolve(config(), base, recorded).precision == recorded


@pytest.mark.parametrize(
    ("device", "supported", "asked", "expected"),
    [
        ("cuda", True, "auto", "bfloat16"),
        ("cuda", False, "auto", "float32"),
        ("cuda", True, "float32", "float32"),
        ("cuda:1", True, "bfloat16", "bfloat16"),
        ("mps", True, "auto", "float32"),
    ],
)
def test_accelerators_go_by_what_they_support(
    base: LoadedModel, monkeypatch: pytest.MonkeyPatch, device: str, supported: bool, asked: str, expected: str
) -> None:
    monkeypatch.setattr(module, "_cuda_has_bfloat16", lambda: supported)
    assert resolve(config(precision=asked), replace(base, device=device)).precision == expected


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_bfloat16_that_the_device_does_not_have(
    base: LoadedModel, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setattr(module, "_cuda_has_bfloat16", lambda: False)
    with pytest.raises(InputError, match=rf"^precision: {device} cannot train in bfloat16; use auto or float32\.$"):
        resolve(config(precision="bfloat16"), replace(base, device=device))


def test_a_build_of_torch_without_the_products(base: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any) -> None:
        raise RuntimeError("not implemented for 'BFloat16'")

    monkeypatch.setattr(module, "_products", missing)
    assert resolve(config(), base).precision == "float32"
    with pytest.raises(InputError, match=r"^precision: this CPU cannot train in bfloat16"):
        resolve(config(precision="bfloat16"), base)


def test_the_best_of_both_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def products(x: torch.Tensor, weight: torch.Tensor) -> None:
        assert x.numel() * len(weight) <= module.PROBE_PRODUCT
        now[0] += 0.004 if x.dtype == torch.float32 else 0.001

    monkeypatch.setattr(module, "_products", products)
    assert measured_speedup(576, 1536, lambda: now[0]) == pytest.approx(4)
    assert now[0] < 0.4
    measured_speedup(16_384, 8192, lambda: now[0])


def test_what_a_run_records(lab: Settings) -> None:
    """Runs of versions before 0.3 do not say, and were trained in float32."""
    whole = record("whole")
    cases = [("cpu", "bfloat16", "bfloat16"), ("cpu", None, "float32"), ("mps", None, "float32"), ("cuda", None, None)]
    for device, written, expected in cases:
        environment = EnvironmentRecord.model_validate({"device": device, "precision": written})
        assert whole.model_copy(update={"environment": environment}).precision == expected
    old = whole.model_copy(update={"environment": EnvironmentRecord(device="cpu")})
    assert recorded_precision(old) == "float32"
    assert recorded_precision(old.model_copy(update={"base_model": None})) is None
    assert old.model_copy(update={"kind": "imported"}).precision is None


def test_a_run_on_cuda_that_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    old = record("whole").model_copy(update={"environment": EnvironmentRecord(device="cuda")})
    for has in (True, False):
        monkeypatch.setattr(module, "_cuda_has_bfloat16", lambda has=has: has)
        assert recorded_precision(old) == ("bfloat16" if has else "float32")
