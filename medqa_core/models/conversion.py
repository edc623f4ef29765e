"""A GGUF file turned into the folder that `transformers` loads directly: config, safetensors, tokenizer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFReader
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, modeling_gguf_pytorch_utils

from medqa_core.models.silence import silenced


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Write `folder` (which exists) from `gguf`; weights in float32, which is exact for what the file holds.

    Deterministic: the same file gives the same bytes.
    """
    with silenced(), _no_gguf_bar(), torch.random.fork_rng(devices=[]):
        tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name, local_files_only=True)
        source = AutoModelForCausalLM.from_pretrained(
            str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32, local_files_only=True
        )
        config = source.config
        # A model loaded from GGUF counts as quantized and refuses to be saved, although its weights are plain
        # floats by now; a fresh model of the same shape holds the same weights and has no such memory.
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        if hasattr(config, "_model_name_or_path"):  # the GGUF file's own title, which is no path
            del config._model_name_or_path
        clean = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        clean.load_state_dict(source.state_dict())
        del source
        _repair_pre_tokenizer(tokenizer, gguf)
        tokenizer.model_max_length = config.max_position_embeddings
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        config.pad_token_id = tokenizer.pad_token_id
        clean.generation_config = GenerationConfig(
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        for how_it_was_loaded in ("is_local", "local_files_only"):
            tokenizer.init_kwargs.pop(how_it_was_loaded, None)
        clean.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    # safetensors writes for the owner only; a cache that another account reads needs the ordinary permissions.
    (folder / "model.safetensors").chmod((folder / "config.json").stat().st_mode)


@contextmanager
def _no_gguf_bar() -> Iterator[None]:
    # The reader of GGUF files draws its bar with tqdm directly, past the switch that `silenced` turns off.
    before = modeling_gguf_pytorch_utils.tqdm
    modeling_gguf_pytorch_utils.tqdm = lambda items, **_: items
    try:
        yield
    finally:
        modeling_gguf_pytorch_utils.tqdm = before


def _repair_pre_tokenizer(tokenizer: Any, gguf: Path) -> None:
    """Split digits off first, as SmolLM2 was trained to; the reader of GGUF files leaves that step out.

    Without it two spaces or line breaks before a number become two tokens where the model knows one.
    """
    field = GGUFReader(gguf).get_field("tokenizer.ggml.pre")
    if field is None or field.contents() != "smollm":
        return
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
