"""Which kinds of models train, and what answers with them: the table in docs/models.md, one row a kind.

Tiny random weights: two layers of 32. Those of which the gate or an engine treats something apart are in the default
suite, the others among the `real` tests.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig

from medqa_core.answering.engine import decoder_for
from medqa_core.answering.generate import answers
from medqa_core.foundation.errors import ModelError
from medqa_core.foundation.settings import Settings
from medqa_core.models.silence import silenced
from medqa_core.models.variants import VARIANTS, ModelVariants, Variant, load_variants
from medqa_core.runs.schema.presets import from_preset
from medqa_core.training.attention import reads_packed_rows, use_packed_attention
from medqa_core.training.train import train
from tests.support.docs_tables import section
from tests.support.foreign_models import toy_folder

pytestmark = pytest.mark.usefixtures("no_network")
_ENDS = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
_LLAMA = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    **_ENDS,
}
_GROUPED = {**_LLAMA, "num_key_value_heads": 2}
_NARROW = {**_GROUPED, "head_dim": 8}
_OLD = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, **_ENDS}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("Bert", _LLAMA),
    "bloom": ("Bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4, **_ENDS}),
    "falcon": ("Falcon", _OLD),
    "gemma": ("Gemma", _NARROW),
    "gemma2": ("Gemma2", _NARROW),
    "gemma3_text": ("Gemma3Text", _NARROW),
    "gpt2": ("GPT2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512, **_ENDS}),
    "gpt_neox": ("GPTNeoX", _LLAMA),
    "granite": ("Granite", _GROUPED),
    "llama": ("Llama", _GROUPED),
    "mamba": ("Mamba", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, **_ENDS}),
    "mistral": ("Mistral", {**_GROUPED, "sliding_window": None}),
    "mixtral": ("Mixtral", {**_GROUPED, "num_local_experts": 2, "num_experts_per_tok": 1}),
    "olmo2": ("Olmo2", _GROUPED),
    "opt": ("OPT", {**_OLD, "ffn_dim": 48, "max_position_embeddings": 512, "word_embed_proj_dim": 32}),
    "phi": ("Phi", _GROUPED),
    "phi3": ("Phi3", _GROUPED),
    "qwen2": ("Qwen2", _GROUPED),
    "qwen3": ("Qwen3", _NARROW),
    "smollm3": ("SmolLM3", _GROUPED),
    "stablelm": ("StableLm", _GROUPED),
    "starcoder2": ("Starcoder2", _GROUPED),
}
APART = ("gemma2", "mamba", "mixtral")
"""What the gate or the engines had to learn of; they are in the default suite."""
PROMPTS = [[5, 9, 40, 77, 300, 12, 18], [7, 8, 9, 200, 31]]
NEW = 5


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    trains: str
    attention: str
    rows: str
    answers: str


def documented() -> dict[str, Row]:
    """The table of docs/models.md by kind."""
    lines = re.findall(r"(?m)^\| ([a-z0-9_]+) \|(.*)\|$", section("models.md", "## Kinds that are tested"))
    return {kind: Row(*(cell.strip() for cell in rest.split("|"))) for kind, rest in lines if kind != "kind"}


def folder_of(kind: str, settings: Settings, place: Path) -> Path:
    """A model of a kind with the toy's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(str(toy_folder(settings)))
    name, values = KINDS[kind]
    made: PreTrainedConfig = getattr(transformers, f"{name}Config")(vocab_size=len(tokenizer) + 8, **values)
    with silenced(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(made, dtype=torch.float32).save_pretrained(place / kind)
        tokenizer.save_pretrained(place / kind)
    return place / kind


def greedy(variants: ModelVariants, variant: Variant, prompt: list[int]) -> list[int]:
    """The most likely next tokens, each from a plain pass over all of the text."""
    ids = list(prompt)
    with variants.using(variant) as model, torch.inference_mode():
        for _ in range(NEW):
            ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def test_the_table_names_every_kind_that_is_tested() -> None:
    assert list(documented()) == sorted(KINDS)
    assert len(KINDS) > 15


def test_a_model_that_looks_ahead_is_refused_before_any_training(lab: Settings, tmp_path: Path) -> None:
    folder = folder_of("bert", lab, tmp_path)
    with pytest.raises(ModelError, match="kind 'bert', in which what comes later in a text changes"):
        train(from_preset("smoke", {"base_model": str(folder)}), lab, run_id="bert")
    assert not (lab.reports / "bert").exists()
    assert documented()["bert"].trains == "refused: looks ahead"


@pytest.mark.parametrize(
    "kind",
    [kind if kind in APART else pytest.param(kind, marks=pytest.mark.real) for kind in KINDS if kind != "bert"],
)
@pytest.mark.filterwarnings("ignore")  # of the libraries, about architectures that are not ours
def test_a_kind_trains_and_both_variants_answer_as_plain_passes_do(kind: str, lab: Settings, tmp_path: Path) -> None:
    settings = Settings(reports=tmp_path / "reports", cache=lab.cache, medquad=None, mmlu=None, public=False)
    folder, said = folder_of(kind, lab, tmp_path), documented()[kind]
    sizes = {"train_size": 8, "validation_size": 4, "test_size": 4, "eval_examples": 4, "epochs": 1.0}
    run = train(from_preset("smoke", {"base_model": str(folder), **sizes}), settings, run_id=kind.replace("_", "-"))
    variants = load_variants(run, settings)
    assert said.trains == "yes"
    assert variants.base.model.config._attn_implementation == said.attention
    decoder = decoder_for(variants, settings)
    assert decoder.name.startswith(said.answers)
    for variant in VARIANTS:
        found = {at: ids for part in answers(decoder, variant, PROMPTS, NEW, -1) for at, ids in part.items()}
        assert [found[0], found[1]] == [greedy(variants, variant, prompt) for prompt in PROMPTS]
    use_packed_attention(variants.base.model)
    assert ("packed" if reads_packed_rows(variants.base.model) else "padded") == said.rows
