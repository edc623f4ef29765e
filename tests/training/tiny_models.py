"""Models of a few thousand random weights, one of each kind of architecture, for tests of how they are trained."""

from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    PreTrainedConfig,
    Qwen2Config,
)

from medqa_core.models.loader import LoadedModel
from medqa_core.models.prompt import Example
from medqa_core.models.silence import silenced

VOCABULARY = 97
_LLAMA = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": None,
}
KINDS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**_LLAMA, tie_word_embeddings=True),
    "qwen2": Qwen2Config(**_LLAMA),
    "gemma": GemmaConfig(**{**_LLAMA, "num_key_value_heads": 1}, head_dim=16),
    "gemma3": Gemma3TextConfig(**_LLAMA, head_dim=16, sliding_window=8),
    "gpt_neox": GPTNeoXConfig(**{k: v for k, v in _LLAMA.items() if k != "num_key_value_heads"}),
    "gpt2": GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=128, eos_token_id=1, bos_token_id=None,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    ),
}  # fmt: skip
"""The configuration of each kind, without dropout."""


def tiny(kind: str) -> LoadedModel:
    """A model of one kind; the same weights each time. It has no tokenizer."""
    with silenced(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(KINDS[kind], attn_implementation="sdpa", dtype=torch.float32)
    parameters = sum(p.numel() for p in model.parameters())
    return LoadedModel(model.eval(), None, kind, None, "0" * 64, Path(), parameters, "cpu")


def random_examples(lengths: tuple[int, ...] = (30, 20, 12, 9, 7, 5, 11, 13)) -> list[Example]:
    """Examples of these lengths, a third of each a prompt; the same tokens each time."""
    generator = torch.Generator().manual_seed(0)
    tokens = [torch.randint(2, VOCABULARY, (length,), generator=generator).tolist() for length in lengths]
    return [Example(ids, len(ids) // 3, 0, False) for ids in tokens]
