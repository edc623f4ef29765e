"""The memory that a training will take, computed from shapes alone: no weight is loaded for it.

A model of the same configuration is made without memory (on PyTorch's `meta` device), prepared as for training, and
sent through one forward pass of fake tensors, in which everything that autograd would keep for the backward pass is
counted. That holds for any architecture, method and layout, and for layers that are computed again.
"""

import logging
import os
from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig

from medqa_core.evaluation.loss import TOKEN_BUDGET
from medqa_core.foundation.errors import ModelError
from medqa_core.foundation.format import bytes_size
from medqa_core.foundation.progress import Progress
from medqa_core.models.gate import attention_of
from medqa_core.models.loader import LoadedModel, Located, loading
from medqa_core.models.memory import free_memory, weight_bytes
from medqa_core.models.prompt import Example
from medqa_core.models.silence import silenced
from medqa_core.runs.schema.config import Quantization, TrainConfig
from medqa_core.runs.schema.estimate import ComputedMemory
from medqa_core.runs.schema.record import TrainingPrecision
from medqa_core.training.batching import ForwardBatch, layout_for, pack_batches, tokens_per_forward
from medqa_core.training.bfloat16 import compute_in_bfloat16, take_copy
from medqa_core.training.freezing import set_train_mode
from medqa_core.training.model import trainable
from medqa_core.training.sharding import sharding_asked

log = logging.getLogger("medqa.train")
FLOAT32 = 4
BYTES_PER_WEIGHT: dict[Quantization, float] = {"8bit": 1.0, "4bit": 0.5 + 0.016}
"""Of a quantised weight with its scales: NF4 has an 8-bit scale per block of 64 weights, and few per block of those."""
MOMENTS = 2
KEPT_BY_ALLOCATOR = {"cpu": 1.4}
"""How many times the computed peak a process comes to, freed blocks that it keeps included; elsewhere 1.1."""
ROOMY = 20
"""With so many times a model's float32 weights free nothing is computed: all weights of the embedded model take ten."""


def computed_memory(
    model_config: PreTrainedConfig,
    config: TrainConfig,
    batch: ForwardBatch,
    *,
    device: str,
    precision: TrainingPrecision = "float32",
    processes: int = 1,
) -> ComputedMemory | None:
    """The peak of a training step, in bytes, by what takes it; None for a model whose shapes depend on its data.

    Args:
        model_config: of the model to train.
        config: how to train it.
        batch: the largest that goes through one forward pass.
        device: where.
        precision: of the matrix products.
        processes: over how many of them weights, gradients and moments are sharded.
    """
    try:
        return _computed(model_config, config, batch, device, precision, processes)
    except (RuntimeError, AssertionError) as error:  # what PyTorch's fake tensors raise
        log.warning("the memory of a %s model cannot be computed: %s", model_config.model_type, error)
        return None


def _computed(
    model_config: PreTrainedConfig,
    config: TrainConfig,
    batch: ForwardBatch,
    device: str,
    precision: TrainingPrecision,
    processes: int,
) -> ComputedMemory:
    model = _without_memory(model_config, config, device, precision)
    linear = _quantised_weights(model) if config.quantization != "none" else 0
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    kept = sum(p.numel() * p.element_size() for p in model.parameters())
    if linear:
        kept += round(linear * (BYTES_PER_WEIGHT[config.quantization] - model.dtype.itemsize))
    autocast = device != "cpu" and precision == "bfloat16"
    activations = _activations(model, batch, autocast=autocast)
    if config.gradient_checkpointing:  # the layer that is being computed again has all of its own
        whole = config.model_copy(update={"gradient_checkpointing": False})
        every = _activations(_without_memory(model_config, whole, device, precision), batch, autocast=autocast)
        activations += every // model_config.num_hidden_layers
    return ComputedMemory(
        weights=kept // processes,
        gradients=FLOAT32 * trained // processes,
        moments=MOMENTS * FLOAT32 * trained // processes,
        activations=max(activations, _of_validation(model, config)),
    )


def require_training_memory(
    located: Located,
    config: TrainConfig,
    *,
    device: str,
    precision: TrainingPrecision,
    progress: Progress,
) -> None:
    """Say, before a model is loaded, what its training needs where that comes near what is free.

    Args:
        located: the model's files.
        config: how to train it.
        device: where.
        precision: of the matrix products.
        progress: told both figures where they are close.

    Raises:
        ModelError: not even weights, gradients and moments fit.
    """
    free = free_memory(device)
    processes = int(os.environ["WORLD_SIZE"]) if sharding_asked() else 1
    if ROOMY * weight_bytes(located.folder, located.name) // processes < free:
        return
    with loading(located.name):
        model_config = AutoConfig.from_pretrained(str(located.folder), local_files_only=True, trust_remote_code=False)
    batch = largest_batch(config, device, packs=attention_of(model_config) == "sdpa")
    needed = computed_memory(model_config, config, batch, device=device, precision=precision, processes=processes)
    if needed is None:
        return
    likely = round(needed.total * KEPT_BY_ALLOCATOR.get(device, 1.1))
    both = f"about {bytes_size(likely)} to be trained with method {config.method}, and {bytes_size(free)} are free"
    if needed.state > free:
        raise ModelError(f"{located.name} needs {both}: {_advice(config, device)}.")
    if likely > free:
        progress(
            f"{located.name} may need {both}: if it runs out of memory, set gradient_checkpointing=true or lower "
            "max_tokens_per_forward"
        )
    else:
        progress(f"{located.name} needs {both}")


def _advice(config: TrainConfig, device: str) -> str:
    """What takes less memory."""
    ways = ["train with method lora"] if config.method != "lora" else []
    if device == "cuda":
        ways += ["set quantization=4bit"] if config.method == "lora" and config.quantization != "4bit" else []
        ways += ["shard it over several GPUs (accelerate launch --use_fsdp)"] if config.quantization == "none" else []
    return ", ".join([*ways, "or choose a smaller model" if ways else "choose a smaller model"])


def largest_batch(config: TrainConfig, device: str, *, packs: bool = True) -> ForwardBatch:
    """The largest batch that a training may have, before its data are known: the longest examples, all answer."""
    length = config.max_tokens
    count = max(1, min(config.effective_batch, tokens_per_forward(config, device) // length))
    examples = [Example([0] * length, 1, 0, False) for _ in range(count)]
    (batch,) = pack_batches(examples, range(count), count * length, layout_for(device, packs=packs))
    return batch


def _without_memory(
    model_config: PreTrainedConfig, config: TrainConfig, device: str, precision: TrainingPrecision
) -> Any:
    """The model as it is trained, every weight without memory."""
    half = precision == "bfloat16" and config.method == "lora" and device != "cpu"
    with silenced(), torch.device("meta"):
        model = AutoModelForCausalLM.from_config(
            model_config,
            attn_implementation=attention_of(model_config),
            dtype=torch.bfloat16 if half else torch.float32,
        )
        base = LoadedModel(model, None, "", None, "", Path(), 0, device)
        model = trainable(base, config)
        if precision == "bfloat16" and device == "cpu":
            compute_in_bfloat16(model)
    set_train_mode(model, config.last_layers)
    return model


def _of_validation(model: Any, config: TrainConfig) -> int:
    """Bytes of a validation's largest batch: its logits, and one row's in float32 twice again."""
    vocabulary: int = model.get_output_embeddings().weight.shape[0]
    return FLOAT32 * vocabulary * (max(TOKEN_BUDGET, config.max_tokens) + 2 * config.max_tokens)


def _quantised_weights(model: Any) -> int:
    """Weights of the linear layers that are quantised: all frozen ones but the output embedding."""
    head = model.get_output_embeddings().weight
    layers = (m for m in model.modules() if isinstance(m, torch.nn.Linear) and not m.weight.requires_grad)
    return sum(layer.weight.numel() for layer in layers if layer.weight is not head)


def _activations(model: Any, batch: ForwardBatch, *, autocast: bool) -> int:
    """Bytes that a forward pass keeps for the backward pass, and what the loss and the largest gradient add to them."""
    mode = FakeTensorMode()
    with mode:
        known = _on_a_fake_cpu(model)
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            kept[storage._cdata] = storage  # held, so that no other one gets its number
        return tensor

    keep_logits, placed = batch.logits_to_keep, batch.placement("cpu")
    if "position_ids" in placed:
        placed["position_ids"] = mode.from_tensor(placed["position_ids"].contiguous())
    with (
        mode,
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=autocast),
    ):
        logits = model(
            input_ids=mode.from_tensor(batch.input_ids),
            logits_to_keep=mode.from_tensor(keep_logits) if isinstance(keep_logits, torch.Tensor) else keep_logits,
            use_cache=False,
            **placed,
        ).logits
    of_logits: int = logits.nbytes  # the loss turns them into their gradient in place
    if autocast:  # accelerate makes them float32, whose gradient becomes bfloat16 again
        of_logits += FLOAT32 * logits.numel() + logits.nbytes
    largest: int = max(FLOAT32 * p.numel() for p in model.parameters() if p.requires_grad)
    return sum(storage.nbytes() for storage in kept.values()) + of_logits + largest


def _on_a_fake_cpu(model: Any) -> set[int]:
    """Put fake tensors in place of the model's; the numbers of their storages."""
    made: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is None:
                    continue
                if id(tensor) not in made:
                    fake = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
                    trained = isinstance(tensor, torch.nn.Parameter)
                    fake = torch.nn.Parameter(fake, tensor.requires_grad) if trained else fake
                    take_copy(tensor, fake)
                    made[id(tensor)] = tensor, fake
                tensors[name] = made[id(tensor)][1]
    return {fake.untyped_storage()._cdata for _, fake in made.values()}
