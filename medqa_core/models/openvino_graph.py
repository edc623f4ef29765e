"""A converted model at work: compiled for this CPU, and one batch's state."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from medqa_core.runs.schema.evaluation import Precision

Array = NDArray[Any]
VERSION = ov.__version__.split("-")[0]
QUANTISED_FROM = 2**14
"""Weights of a matrix that is worth quantising; smaller ones are scales and biases."""


class Graph:
    """A compiled graph; its weights are in memory once, however many batches it works on."""

    def __init__(self, model: ov.Model | Path, precision: Precision = "float32", threads: int = 0) -> None:
        """Compile it.

        Args:
            model: a graph, or the file of one.
            precision: `int8` quantises the weights, each row of a matrix on its own scale.
            threads: at most; 0: as many as there are cores.
        """
        core = _core()
        graph = core.read_model(str(model)) if isinstance(model, Path) else model
        if precision == "int8":
            quantise(graph)
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",  # or it would take bfloat16 where the CPU has it, unasked
            "KV_CACHE_PRECISION": "f32",
        }
        self._compiled = core.compile_model(graph, "CPU", options)
        self._inputs = {name for port in self._compiled.inputs for name in port.get_names()}

    def session(self) -> "Session":
        """A new batch's state, empty."""
        return Session(self._compiled.create_infer_request(), self._inputs)


@cache
def _core() -> Any:
    """The process's one core, which is never freed.

    Each gives the thread that makes it a stack for signals and takes it back when it is freed. Where two are freed in
    the order in which they were made, the second puts back the first one's, and the next signal ends the process.
    """
    return ov.Core()


class Session:
    """The keys and values of one batch."""

    def __init__(self, request: Any, inputs: set[str]) -> None:
        self._request = request
        self._inputs = inputs

    def step(self, ids: Array, mask: Array, positions: Array, keep: Sequence[int], adapted: Array) -> Array:
        """Read `ids` behind what is cached.

        Args:
            ids: (rows, n).
            mask: (rows, cached + n): 0 where a place is padding.
            positions: (rows, n).
            keep: which of the n places' logits are wanted.
            adapted: (rows,): 1 where the adapter is on.

        Returns:
            (rows, kept, vocabulary) float32, a view that the next step overwrites.
        """
        given = {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": positions,
            "keep": np.asarray(keep, np.int64),
            "adapted": adapted,
            "beam_idx": np.arange(len(ids), dtype=np.int32),
        }
        self._request.infer({name: value for name, value in given.items() if name in self._inputs}, share_inputs=True)
        logits: Array = self._request.get_tensor("logits").data
        return logits

    def states(self) -> list[Array]:
        """Every state: (rows, heads, cached, size)."""
        return [state.state.data for state in self._request.query_state()]

    def set_states(self, states: Sequence[Array]) -> None:
        """Replace every state."""
        for state, value in zip(self._request.query_state(), states, strict=True):
            state.state = ov.Tensor(np.ascontiguousarray(value))


def quantise(graph: ov.Model) -> None:
    """Replace the weights of `graph`'s matrix products by 8-bit ones, in place.

    Asymmetric, with a scale and a zero point for each output row (as NNCF's INT8_ASYM); an adapter's matrices,
    which are small, stay as they are.
    """
    for node in graph.get_ops():
        if node.get_type_name() != "MatMul":
            continue
        port = node.input(1)
        weight = _constant(port.get_source_output().get_node())
        if weight is None or weight.data.size < QUANTISED_FROM or min(weight.data.shape) < 64:
            continue
        rows = 1 if not node.get_attributes()["transpose_b"] else 0
        port.replace_source_output(_quantised(weight.data, axis=1 - rows).output(0))
    graph.validate_nodes_and_infer_types()


def _constant(node: Any) -> Any:
    return node if node.get_type_name() == "Constant" and node.get_element_type() == ov.Type.f32 else None


def _quantised(weight: Array, axis: int) -> Any:
    low, high = weight.min(axis, keepdims=True), weight.max(axis, keepdims=True)
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    scale = np.maximum((high - low) / 255, np.finfo(np.float32).tiny).astype(np.float32)
    zero = np.clip(np.round(-low / scale), 0, 255).astype(np.uint8)
    levels = np.clip(np.round(weight / scale) + zero, 0, 255).astype(np.uint8)
    shifted = ops.subtract(ops.convert(ops.constant(levels), "f32"), ops.convert(ops.constant(zero), "f32"))
    return ops.multiply(shifted, ops.constant(scale))
