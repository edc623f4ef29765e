"""The precision of a training's matrix products: what was asked for, what the device has, what was measured.

Weights, the optimizer's moments and the loss are float32 in either. A run resolves its precision once, when it starts;
it stands in run.json, and a resumed or replayed run takes it from there.
"""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from torch.nn import functional

from medqa_core.foundation.errors import InputError
from medqa_core.models.loader import LoadedModel
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.record import RunRecord, TrainingPrecision
from medqa_core.runs.status_writer import is_main

FASTER = 1.3
"""bfloat16 is taken where its matrix products are at least so many times as fast: below that, casting eats the gain."""
SMALL = 10_000_000
"""A model with fewer weights is not measured: its matrices are too small to gain, and it trains in seconds."""
PROBE_SECONDS = 0.3
PROBE_TOKENS, PROBE_PRODUCT = 384, 2**29
"""Rows of a measured product, and its multiplications at most: larger matrices are measured at a part of their size."""

Reason = Literal["asked for", "recorded", "faster", "not faster", "small model", "device"]


@dataclass(frozen=True)
class ResolvedPrecision:
    """The precision of a run, and why it is that one."""

    precision: TrainingPrecision
    reason: Reason
    speedup: float | None = None
    """How many times as fast bfloat16 products were as float32 ones; None where it was not measured."""

    def __str__(self) -> str:
        """The precision with its reason, for a log."""
        factor = self.speedup
        measured = f"measured {factor:.2g} times as fast as float32" if factor is not None else ""
        slow = factor is not None and factor < 1
        gain = "is slower" if slow else "gains too little"
        return {
            "asked for": f"{self.precision} as configured"
            + (f", slower on this CPU ({measured})" if slow else f" ({measured})" if measured else ""),
            "recorded": f"{self.precision} as the run began",
            "faster": f"{self.precision} ({measured})",
            "not faster": f"{self.precision}: bfloat16 {gain} on this CPU ({measured})",
            "small model": f"{self.precision}: the model is too small to gain from bfloat16",
            "device": self.precision,
        }[self.reason]


def resolve(config: TrainConfig, base: LoadedModel, recorded: TrainingPrecision | None = None) -> ResolvedPrecision:
    """The precision to train `base` in; on a CPU, `auto` measures its matrix products for less than half a second.

    Under several processes each must call this; all get what the first one found.

    Args:
        config: its `precision` is what was asked for.
        base: the model, on its device.
        recorded: what the run began with, which is never measured anew; None where it begins now.

    Raises:
        InputError: bfloat16 was asked for, and the device cannot train in it.
    """
    if base.device == "cpu" and config.precision == "auto" and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # Each would measure beside the others, and might find something else.
        found = [_resolve(config, base, recorded) if is_main() else None]
        PartialState(cpu=True)  # makes the group of processes
        broadcast_object_list(found)
        assert found[0] is not None
        return found[0]
    return _resolve(config, base, recorded)


def resolve_without_model(
    config: TrainConfig, device: str, recorded: TrainingPrecision | None = None
) -> ResolvedPrecision | None:
    """What `resolve` comes to where no model is needed to know it; None where its matrices have to be measured.

    Raises:
        InputError: bfloat16 was asked for, and the device cannot train in it.
    """
    if recorded is not None:
        return ResolvedPrecision(recorded, "recorded")
    if device == "cpu":
        return None
    possible = device.startswith("cuda") and _cuda_has_bfloat16()
    if config.precision == "bfloat16" and not possible:
        raise InputError(f"{device} cannot train in bfloat16; use auto or float32.", field="precision")
    if config.precision == "auto":
        return ResolvedPrecision("bfloat16" if possible else "float32", "device")
    return ResolvedPrecision(config.precision, "asked for")


def recorded_precision(record: RunRecord) -> TrainingPrecision | None:
    """The precision that a run began with; None for one that has not started."""
    if record.precision is None and record.base_model is not None:  # on CUDA, by a version before 0.3
        return "bfloat16" if _cuda_has_bfloat16() else "float32"
    return record.precision


def measured_speedup(inputs: int, outputs: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """How many times as fast this CPU computes a layer's three matrix products in bfloat16 as in float32.

    Args:
        inputs: features that go into the layer.
        outputs: features that come out of it.
        clock: in seconds.
    """
    sizes = [PROBE_TOKENS, inputs, outputs]
    while math.prod(sizes) > PROBE_PRODUCT:
        sizes[sizes.index(max(sizes))] //= 2
    rows, inputs, outputs = sizes
    generator = torch.Generator().manual_seed(0)  # the global one is the training's
    x, weight = (torch.randn(size, inputs, generator=generator) for size in (rows, outputs))
    operands = {kind: (x.to(kind), weight.to(kind)) for kind in (torch.float32, torch.bfloat16)}
    best = dict.fromkeys(operands, math.inf)
    for operand in operands.values():
        _products(*operand)  # the first call prepares the kernel
    end = clock() + PROBE_SECONDS
    while True:
        for kind, operand in operands.items():  # in turn, so that what else the machine does slows both
            start = clock()
            _products(*operand)
            best[kind] = min(best[kind], clock() - start)
        if clock() >= end:
            return best[torch.float32] / max(best[torch.bfloat16], 1e-9)


@torch.no_grad()
def _products(x: torch.Tensor, weight: torch.Tensor) -> None:
    """Forward, and the gradients of input and weight."""
    y = functional.linear(x, weight)
    y @ weight
    y.t() @ x


def _resolve(config: TrainConfig, base: LoadedModel, recorded: TrainingPrecision | None) -> ResolvedPrecision:
    return resolve_without_model(config, base.device, recorded) or _on_cpu(config, base)


def _on_cpu(config: TrainConfig, base: LoadedModel) -> ResolvedPrecision:
    if config.precision == "float32":
        return ResolvedPrecision("float32", "asked for")
    if config.precision == "auto" and base.parameters < SMALL:
        return ResolvedPrecision("float32", "small model")
    try:
        speedup = measured_speedup(*_layer_shape(base.model))
    except RuntimeError as error:  # a build of torch without these kernels
        if config.precision == "bfloat16":
            raise InputError("this CPU cannot train in bfloat16; use auto or float32.", field="precision") from error
        return ResolvedPrecision("float32", "device")
    if config.precision == "bfloat16":
        return ResolvedPrecision("bfloat16", "asked for", speedup)
    faster = speedup >= FASTER
    return ResolvedPrecision("bfloat16" if faster else "float32", "faster" if faster else "not faster", speedup)


def _layer_shape(model: Any) -> tuple[int, int]:
    """Features into and out of the model's largest matrix, its embeddings apart."""
    embeddings = {id(part.weight) for part in (model.get_input_embeddings(), model.get_output_embeddings()) if part}
    matrices = [p for p in model.parameters() if p.ndim == 2 and id(p) not in embeddings]
    outputs, inputs = max(matrices, key=torch.Tensor.numel, default=torch.empty(1, 1)).shape
    return inputs, outputs


def _cuda_has_bfloat16() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
