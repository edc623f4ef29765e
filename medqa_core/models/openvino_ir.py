"""A run's models as one OpenVINO graph: the same weights and sums, laid out so that a CPU reads them once a step.

The graph is traced from the model's own modules, so it knows whatever kinds of model transformers can trace, and it is
compared with them before it is used. Where a run is an adapter, one graph is both models: each row of a batch says
whether its adapter is on, as in S-LoRA (Sheng et al. 2023), and a step for all columns reads the base's weights once.
Keys and values stay inside the graph as its state.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import MethodType
from typing import Any

import numpy as np
import openvino as ov
import torch
from openvino import opset13 as ops
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
from openvino.passes import MakeStateful, Manager
from peft.tuners.lora.layer import Linear, LoraLayer
from transformers.cache_utils import DynamicCache, DynamicLayer

from medqa_core.foundation.errors import ModelError, first_line
from medqa_core.foundation.files import remove_folder, sha256_text
from medqa_core.foundation.progress import Progress, silent
from medqa_core.models.build_cache import get_or_build
from medqa_core.models.gate import alike, takes
from medqa_core.models.loader import config_sha256
from medqa_core.models.openvino_graph import VERSION, Graph
from medqa_core.models.silence import silenced
from medqa_core.models.variants import ModelVariants, Variant

RECIPE = "openvino/1"
"""Counts up when the conversion changes, so that a cache made by an older version is made anew."""
GRAPH = "model.xml"
INPUTS = ("input_ids", "attention_mask", "position_ids", "keep", "adapted")
"""(rows, n) and (rows, cached + n) and (rows, n) int64; (kept,) int64, the places whose logits are wanted; (rows,)
float32, 1 where the adapter is on. `beam_idx` (rows,) int32, which row of the state each row goes on from, comes last.
"""
PROBE_TOKENS = 24


class NotConvertible(ModelError):
    """A model with something in it that cannot be traced, or whose graph computes something else."""


def ensure(variants: ModelVariants, variant: Variant, cache: Path, progress: Progress = silent) -> Path:
    """The folder with the graph that answers for one variant, made first if it is not in the cache.

    Both variants of a run with an adapter have the same one.

    Raises:
        NotConvertible: the model has something that the graph cannot do.
        ModelError: the cache folder cannot be written.
    """
    base = f"{variants.base.sha256}:{config_sha256(variants.base.model)}"
    tuned = f"{variants.adapter_sha256}:{variants.config_sha256}"
    weights = f"{base}+{tuned}" if variants.shares_weights else base if variant == "base" else tuned
    recipe = f"{RECIPE} openvino {VERSION} torch {torch.__version__} {weights}"

    def fill(temporary: Path) -> dict[str, Any]:
        named = "both models" if variants.shares_weights else f"the {variant.replace('_', '-')} model"
        progress(f"converting {named} for fast answers, once")
        remove_folder(cache / "ctranslate2")  # what version 0.2 converted
        model = variants.adapted if variants.shares_weights or variant == "fine_tuned" else variants.base.model
        _convert(model, variants.base.name, temporary / GRAPH)
        return {"weights": weights}

    return get_or_build(cache / "openvino" / sha256_text(recipe)[:32], recipe, fill, progress)


@torch.no_grad()
def _convert(model: Any, name: str, path: Path) -> None:
    try:
        with silenced(), warnings.catch_warnings(), _row_wise(model) as rows:
            warnings.simplefilter("ignore")  # the tracer's, of shapes that are constant here
            heads = _heads(model)
            graph = _stateful(_traced(model, rows, heads), heads)
    except Exception as error:  # tracing runs whatever code a kind of model has
        raise NotConvertible(f"{name} cannot be converted: {first_line(error)[:200]}") from error
    _compare(graph, model, name)
    ov.save_model(graph, str(path), compress_to_fp16=False)


class _Rows:
    """Which rows of the batch at hand have their adapter on."""

    def __init__(self) -> None:
        self.adapted = torch.ones(1)


@contextmanager
def _row_wise(model: Any) -> Iterator[_Rows]:
    """Inside the block each adapter layer's part is multiplied with its row's switch."""
    rows, changed = _Rows(), []

    def forward(layer: Any, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        (name,) = layer.active_adapters
        low = layer.lora_A[name](x) * (layer.scaling[name] * rows.adapted[:, None, None])
        result: torch.Tensor = layer.base_layer(x) + layer.lora_B[name](low)
        return result

    for module in model.modules():
        if isinstance(module, LoraLayer):
            if type(module) is not Linear or any(module.use_dora.values()) or len(module.active_adapters) != 1:
                raise NotImplementedError(f"an adapter of the kind {type(module).__name__}")
            changed.append(module)
    try:
        for layer in changed:
            layer.forward = MethodType(forward, layer)
        yield rows
    finally:
        for layer in changed:
            layer.__dict__.pop("forward", None)


class _Decoder(torch.nn.Module):
    """What is traced: a step of any length behind what is cached, in a batch padded on the left."""

    def __init__(self, model: Any, rows: _Rows) -> None:
        super().__init__()
        self.model = model
        self._rows = rows
        self._positions = takes(model, "position_ids")

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        position_ids: torch.Tensor,
        keep: torch.Tensor,
        adapted: torch.Tensor,
        *past: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        self._rows.adapted = adapted
        place = torch.cumsum(torch.ones_like(attention_mask), 1)
        last = place[:, place.shape[1] - input_ids.shape[1] :]
        seen = (place[:, None, :] <= last[:, :, None]) & (attention_mask[:, None, :] > 0)
        mask = torch.where(seen, 0.0, torch.finfo(torch.float32).min)[:, None]
        cache = DynamicCache()
        cache.layers = [_layer(key, value) for key, value in zip(past[::2], past[1::2], strict=True)]
        out = self.model(
            input_ids=input_ids,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
            **({"position_ids": position_ids} if self._positions else {}),
        )
        states = [state for layer in out.past_key_values.layers for state in (layer.keys, layer.values)]
        return (out.logits, *states)


def _bare(model: Any) -> Any:
    """The model itself, without its adapter's wrapper."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _layer(key: torch.Tensor, value: torch.Tensor) -> DynamicLayer:
    layer = DynamicLayer()
    layer.keys, layer.values, layer.is_initialized = key, value, True
    layer.dtype, layer.device = key.dtype, key.device
    return layer


def _heads(model: Any) -> list[tuple[int, int]]:
    """Heads and their size of each state, keys and values in turn, as one forward pass shows them.

    Raises:
        NotImplementedError: a model whose cache is no plain keys and values, or that forgets what is far away.
    """
    config = _bare(model).config
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        raise NotImplementedError(f"{config.model_type} looks back through a window only")
    layers = model(input_ids=torch.zeros(1, 2, dtype=torch.long), use_cache=True).past_key_values.layers
    if any(type(layer) is not DynamicLayer for layer in layers):
        raise NotImplementedError(f"{config.model_type} caches more than keys and values")
    return [(int(s.shape[1]), int(s.shape[3])) for layer in layers for s in (layer.keys, layer.values)]


def _traced(model: Any, rows: _Rows, heads: list[tuple[int, int]]) -> ov.Model:
    batch, new, cached = 2, 3, 4
    past = [torch.zeros(batch, count, cached, size) for count, size in heads]
    example = (
        torch.zeros(batch, new, dtype=torch.long),
        torch.ones(batch, cached + new, dtype=torch.long),
        torch.arange(cached, cached + new).expand(batch, new),
        torch.tensor([new - 2, new - 1]),
        torch.ones(batch),
        *past,
    )
    decoder = TorchScriptPythonDecoder(torch.jit.trace(_Decoder(model, rows), example, check_trace=False))  # type: ignore[no-untyped-call]
    frontend = FrontEndManager().load_by_framework("pytorch")  # not openvino.convert_model, which asks its telemetry
    return frontend.convert(frontend.load(decoder))


def _stateful(graph: ov.Model, heads: list[tuple[int, int]]) -> ov.Model:
    """`graph` with names, free shapes, and its keys and values as state.

    As OpenVINO's CPU plugin wants it to run attention in place: the state is read, put into the rows' order
    (`beam_idx`) and appended to.
    """
    inputs, outputs = list(graph.inputs), list(graph.outputs)
    for port, name in zip(inputs, INPUTS, strict=False):
        port.get_tensor().set_names({name})
        port.node.set_partial_shape(ov.PartialShape([-1] * len(port.get_partial_shape())))
    outputs[0].get_tensor().set_names({"logits"})
    pairs = {}
    for place, (count, size) in enumerate(heads):
        read, written = inputs[len(INPUTS) + place], outputs[1 + place]
        read.get_tensor().set_names({f"past.{place}"})
        written.get_tensor().set_names({f"present.{place}"})
        read.node.set_partial_shape(ov.PartialShape([-1, count, -1, size]))
        pairs[f"past.{place}"] = f"present.{place}"
    order = ops.parameter(ov.PartialShape([-1]), dtype=np.int32, name="beam_idx")
    order.output(0).get_tensor().set_names({"beam_idx"})
    graph.add_parameters([order])
    for port in inputs[len(INPUTS) :]:
        readers = list(port.get_target_inputs())
        ordered = ops.gather(port, order, ops.constant(0)).output(0)
        for reader in readers:
            reader.replace_source_output(ordered)
    graph.validate_nodes_and_infer_types()
    manager = Manager()
    manager.register_pass(MakeStateful(pairs))
    manager.run_passes(graph)
    rows = ops.gather(ops.shape_of(graph.input("input_ids"), output_type="i64"), ops.constant([0]), ops.constant(0))
    for node in graph.get_ops():
        if node.get_type_name() == "ReadValue":  # empty at first, with as many rows as are asked
            count, size = (int(node.get_output_partial_shape(0)[axis].get_length()) for axis in (1, 3))
            shape = ops.concat([rows, *(ops.constant(np.array([n], np.int64)) for n in (count, 0, size))], axis=0)
            node.set_arguments([ops.broadcast(ops.constant(np.float32(0)), shape)])
    graph.validate_nodes_and_infer_types()
    return graph


def _compare(graph: ov.Model, model: Any, name: str) -> None:
    """Let the graph and the model read the same, once with a row that is padded and once behind a cache.

    Raises:
        NotConvertible: their logits differ by more than rounding.
    """
    vocabulary = _bare(model).config.vocab_size
    ids = torch.randint(vocabulary, (2, PROBE_TOKENS), generator=torch.Generator().manual_seed(0))
    expected = [model(input_ids=ids[:1]).logits[0, -2:]]
    with model.disable_adapter() if hasattr(model, "disable_adapter") else nullcontext():
        expected.append(model(input_ids=ids[1:, 5:]).logits[0, -2:])
    mask = np.ones((2, PROBE_TOKENS), np.int64)
    mask[1, :5] = 0
    positions = np.maximum(np.cumsum(mask, 1) - 1, 0)
    session, adapted = Graph(graph).session(), np.array([1, 0], np.float32)
    first = PROBE_TOKENS - 2
    session.step(ids.numpy()[:, :first], mask[:, :first], positions[:, :first], [first - 1], adapted)
    found = torch.from_numpy(session.step(ids.numpy()[:, first:], mask, positions[:, first:], [0, 1], adapted))
    if not alike(found, torch.stack(expected)):
        raise NotConvertible(f"{name} cannot be converted: the graph computes something else")
