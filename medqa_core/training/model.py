"""The model that is trained: the base with a low-rank adapter, in its last layers, or whole; and how it is saved."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from medqa_core.foundation.files import write_folder
from medqa_core.models.loader import LoadedModel, weights_of
from medqa_core.models.references import upstream_name
from medqa_core.models.silence import silenced
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.training.attention import use_packed_attention
from medqa_core.training.freezing import freeze_all_but_last
from medqa_core.training.lora import fuse


def trainable(base: LoadedModel, config: TrainConfig) -> Any:
    """The model to train, its other weights frozen.

    Raises:
        InputError: the model has not more layers than `last_k`, or hides them.
    """
    use_packed_attention(base.model)
    if config.method == "full":
        return base.model
    if config.method == "last_k":
        freeze_all_but_last(base.model, config.last_k)
        return base.model
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with silenced():
        model = get_peft_model(base.model, lora)
    if base.device == "cpu":  # elsewhere mixed precision wants peft's own layers
        fuse(model)
    return model


def save(model: Any, base: LoadedModel, run_folder: Path, method: str) -> Path:
    """Write `adapter/` or `model/`, complete or not at all, in the layout that peft and transformers load.

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
                model.save_pretrained(temporary, save_embedding_layers=False)
            else:
                base.tokenizer.save_pretrained(temporary)
                _in_float32(model, base).save_pretrained(temporary)
        (temporary / "README.md").unlink(missing_ok=True)  # peft's empty model card; the run writes a real one
        for weights in temporary.glob("*.safetensors"):
            weights.chmod(0o644)  # safetensors keeps its files from other users; a run store is shared

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
