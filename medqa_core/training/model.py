"""The model that is trained: the base with a low-rank adapter, in its last layers, or whole; and how it is saved."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from peft import (
    LoraConfig,
    get_peft_model,
    get_peft_model_state_dict,
    load_peft_weights,
    set_peft_model_state_dict,
)
from torch.nn import Linear
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from medqa_core.foundation.errors import InputError, ModelError
from medqa_core.foundation.files import write_folder
from medqa_core.models.adapter import check_adapter
from medqa_core.models.folders import UNSPLIT
from medqa_core.models.loader import LoadedModel, weights_of
from medqa_core.models.references import upstream_name
from medqa_core.models.silence import silenced
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.training.attention import use_packed_attention
from medqa_core.training.checkpoint import Tensors
from medqa_core.training.freezing import decoder_layers, freeze_all_but_last, last_layers
from medqa_core.training.lora import fuse

MAMBA = ("falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h")
"""Kinds whose fused kernels go round an adapter on `out_proj`; peft refuses it there."""


def trainable(base: LoadedModel, config: TrainConfig) -> Any:
    """The model to train, its other weights frozen.

    Raises:
        InputError: the model has not more layers than `last_k`, or hides them, or cannot compute a layer again.
    """
    use_packed_attention(base.model)
    model = base.model
    if config.method == "last_k":
        freeze_all_but_last(model, config.last_k)
    elif config.method == "lora":
        model = _with_adapter(base, config)
    if config.gradient_checkpointing:
        _checkpoint_activations(base)
    return model


def _with_adapter(base: LoadedModel, config: TrainConfig) -> Any:
    of_mamba = base.model.config.model_type in MAMBA
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        **_adapted(base.model, config.lora_layers),
        exclude_modules=["out_proj"] if of_mamba else None,
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in base.model.modules()),  # how GPT-2 stores them
        task_type="CAUSAL_LM",
    )
    with silenced():
        model = get_peft_model(base.model, lora)
    if base.device == "cpu":  # elsewhere mixed precision wants peft's own layers
        fuse(model)
    return model


def _adapted(model: Any, layers: int | None) -> dict[str, Any]:
    """Which of the model's linear layers get an adapter, in peft's words: all of the last so many layers, or all."""
    if layers is None:
        return {"target_modules": "all-linear"}
    _, found = decoder_layers(model)
    names = {name.rsplit(".", 1)[-1] for name, one in found[-1].named_modules() if isinstance(one, (Linear, Conv1D))}
    return {"target_modules": sorted(names), "layers_to_transform": last_layers(model, layers)}


def _checkpoint_activations(base: LoadedModel) -> None:
    """Keep each trained layer's input alone and compute the layer again in the backward pass (Chen et al. 2016).

    Not reentrant: the recomputation draws the same random numbers and runs under the same autocast, and gradients
    arrive also where a layer's input needs none, as below an adapter.
    """
    if not base.model.supports_gradient_checkpointing:
        raise InputError(
            f"a {base.model.config.model_type} model cannot compute its layers again; leave it off.",
            field="gradient_checkpointing",
        )
    base.model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})


def check_adapter_returns(model: Any, base: LoadedModel) -> None:
    """Save the adapter of `model` once and load it again, before hours are spent on it; its weights stay as they are.

    Raises:
        ModelError: what was saved would be refused or does not hold the whole adapter.
    """
    label = f"{base.name}, a {base.model.config.model_type} model"
    with TemporaryDirectory() as place, silenced():
        folder = Path(place)
        model.save_pretrained(folder, save_embedding_layers=False)
        check_adapter(folder, f"{label}: its adapter, once saved,")
        there = load_peft_weights(str(folder), device="cpu")
        known = get_peft_model_state_dict(model, save_embedding_layers=False)
        lost = sorted(known.keys() ^ there.keys())
        unknown = set_peft_model_state_dict(model, there).unexpected_keys
    if lost or unknown:
        raise ModelError(
            f"{label}: its adapter cannot be saved and loaded again ({[*lost, *unknown][0]}); nothing was trained. "
            "Use method=full or method=last_k."
        )


def save(model: Any, base: LoadedModel, run_folder: Path, method: str, weights: Tensors | None = None) -> Path:
    """Write `adapter/` or `model/`, complete or not at all, in the layout that peft and transformers load.

    Args:
        model: what was trained.
        base: what it was made of.
        run_folder: where to.
        method: `lora` writes the adapter alone.
        weights: by parameter, where `model` does not hold them whole.

    Returns:
        The folder written.
    """
    folder = run_folder / ("adapter" if method == "lora" else "model")

    def fill(temporary: Path) -> None:
        with silenced():
            if method == "lora":
                # The base's own path is a cache folder of this machine: others know the model by its name on the hub.
                model.peft_config["default"].base_model_name_or_path = upstream_name(base.name)
                # The adapter never touches the embeddings; "auto" would ask the hub whether it did.
                model.save_pretrained(temporary, state_dict=weights, save_embedding_layers=False)
            else:
                base.tokenizer.save_pretrained(temporary)
                whole = model if weights is not None else _in_float32(model, base)
                whole.save_pretrained(temporary, state_dict=weights, max_shard_size=UNSPLIT)
        (temporary / "README.md").unlink(missing_ok=True)  # peft's empty model card; the run writes a real one
        for path in temporary.glob("*.safetensors"):
            path.chmod(0o644)  # safetensors keeps its files from other users; a run store is shared

    write_folder(folder, fill)
    return folder


def _in_float32(model: Any, base: LoadedModel) -> Any:
    """`model` with its frozen weights as the base has them, where the training keeps them in bfloat16."""
    if all(parameter.dtype == torch.float32 for parameter in model.parameters()):
        return model
    whole = weights_of(AutoModelForCausalLM, base.folder, base.name)
    whole.generation_config = model.generation_config
    with torch.no_grad():
        for target, parameter in zip(whole.parameters(), model.parameters(), strict=True):
            if parameter.requires_grad:
                target.copy_(parameter)
    return whole
