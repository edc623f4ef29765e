"""Adapters of every kind that people have: after the import both variants compute what they computed there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from medqa_core.foundation.files import read_json, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.models.incoming.import_model import import_model
from medqa_core.models.prompt import THOUGHTS
from medqa_core.models.silence import silenced
from medqa_core.models.variants import VARIANTS, load_variants
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import EvaluationConfig
from tests.support.foreign_models import TEXT, toy_folder, trained

pytestmark = [
    pytest.mark.usefixtures("no_network"),
    pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`"),  # peft says so while a test saves
    pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`"),
]
ADAPTED = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}
KINDS: dict[str, dict[str, Any]] = {
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "every-layer": {"target_modules": "all-linear"},
    "pattern": {"target_modules": r"(?:.*?layers\.1.*?(?:self_attn|mlp).*?(?:q_proj|up_proj))"},
    "ranks": {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"q_proj": 16}},
    "embeddings-too": {"target_modules": ["q_proj", "embed_tokens"], "save_embedding_layers": False},
    "whole-modules": {"modules_to_save": ["norm"]},
    "eva": {"init_lora_weights": "orthogonal"},
}
MERGED: dict[str, dict[str, Any]] = {"biases": {"bias": "all"}}


def logits(model: Any, rows: int | None = None) -> torch.Tensor:
    """What a model says of the text, of the first `rows` tokens of its vocabulary."""
    ids = torch.tensor([list(TEXT.encode())[:40]])
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=ids, use_cache=False).logits[..., :rows]
    return found


def imported(base: Path, folder: Path, here: Settings, asked: EvaluationConfig, model: Any) -> Run:
    """The run made of `folder`; its fine-tuned variant computes what `model` does, its base what the base does."""
    expected = logits(model)
    run = import_model(folder, asked, here, run_id=folder.name)
    variants = load_variants(run, here)
    alone, _ = trained(base, steps=0)
    said = {}
    for variant in VARIANTS:
        with variants.using(variant) as one:
            said[variant] = logits(one)
    torch.testing.assert_close(said["fine_tuned"], expected, atol=2e-5, rtol=1e-4)
    assert torch.equal(said["base"], logits(alone))
    assert not torch.allclose(said["base"], said["fine_tuned"][..., : said["base"].shape[-1]], atol=1e-4)
    return run


def saved(base: Path, folder: Path, options: dict[str, Any]) -> Any:
    """An adapter of a kind, trained and saved; the model with it."""
    given = dict(options)
    embeddings = given.pop("save_embedding_layers", "auto")
    wrapped: Callable[[Any], Any] = lambda model: get_peft_model(model, LoraConfig(**{**ADAPTED, **given}))  # noqa: E731
    model, _ = trained(base, wrapped, steps=3)
    with silenced():
        model.save_pretrained(folder, save_embedding_layers=embeddings)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_computes_what_it_did(kind: str, here: Settings, asked: EvaluationConfig, tmp_path: Path) -> None:
    base = toy_folder(here)
    run = imported(base, tmp_path / kind, here, asked, saved(base, tmp_path / kind, KINDS[kind]))
    assert run.adapter_folder() is not None
    stored = read_json(run.folder / "adapter" / "adapter_config.json")
    assert isinstance(stored["target_modules"], list) or kind == "every-layer"


@pytest.mark.parametrize("kind", MERGED)
def test_what_cannot_be_switched_off_is_merged(
    kind: str, here: Settings, asked: EvaluationConfig, tmp_path: Path
) -> None:
    base = toy_folder(here)
    run = imported(base, tmp_path / kind, here, asked, saved(base, tmp_path / kind, MERGED[kind]))
    assert run.model_folder() is not None and run.adapter_folder() is None
    assert run.record.imported is not None and run.record.imported.model is not None
    assert "merged into its base" in run.record.imported.model.notes[-1]


def test_added_tokens(here: Settings, asked: EvaluationConfig, tmp_path: Path) -> None:
    base, folder = toy_folder(here), tmp_path / "more-tokens"

    def grown(model: Any) -> Any:
        model.resize_token_embeddings(model.config.vocab_size + 8, mean_resizing=False)
        return get_peft_model(model, LoraConfig(**ADAPTED))

    model, tokenizer = trained(base, grown, steps=3)
    tokenizer.add_tokens([f"<|extra-{n}|>" for n in range(8)])
    with silenced():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    run = imported(base, folder, here, asked, model)
    assert run.model_folder() is not None
    assert run.record.imported is not None and run.record.imported.model is not None
    assert run.record.imported.model.kind == "adapter"


def test_what_unsloth_writes_and_a_checkpoint_inside(here: Settings, asked: EvaluationConfig, tmp_path: Path) -> None:
    base, inside = toy_folder(here), tmp_path / "outputs" / "checkpoint-30"
    saved(base, tmp_path / "outputs" / "checkpoint-4", {})
    model = saved(base, inside, {"lora_alpha": 32})
    config = inside / "adapter_config.json"
    mapping = {"base_model_class": "LlamaForCausalLM", "parent_library": "transformers.models.llama.modeling_llama"}
    write_json(config, read_json(config) | {"auto_mapping": {**mapping, "unsloth_fixed": True}, "task_type": None})
    expected = logits(model)
    run = import_model(tmp_path / "outputs", asked, here)
    assert run.record.imported is not None and run.record.imported.model is not None
    assert run.record.imported.model.folder == "checkpoint-30"
    assert any("auto_mapping" in note for note in run.record.imported.model.notes)
    with load_variants(run, here).using("fine_tuned") as one:
        torch.testing.assert_close(logits(one), expected)


def test_the_tokenizer_that_came_along_asks_both(here: Settings, asked: EvaluationConfig, tmp_path: Path) -> None:
    base, folder = toy_folder(here), tmp_path / "own-template"
    saved(base, folder, {})
    _, tokenizer = trained(base, steps=0)
    tokenizer.chat_template = tokenizer.chat_template.replace("<|assistant|>", "<|assistant|>Answer: ")
    tokenizer.save_pretrained(folder)
    run = import_model(folder, asked, here)
    variants = load_variants(run, here)
    assert "Answer: " in variants.tokenizer.chat_template
    assert run.record.imported is not None and run.record.imported.model is not None
    assert run.record.imported.model.own_tokenizer


@pytest.mark.parametrize("opened", ["<think>\n", "{% if enable_thinking %}<think>\n{% endif %}"])
def test_thoughts_that_a_template_opens_are_said(
    opened: str, here: Settings, asked: EvaluationConfig, tmp_path: Path
) -> None:
    base, folder = toy_folder(here), tmp_path / "thoughts"
    saved(base, folder, {})
    _, tokenizer = trained(base, steps=0)
    tokenizer.chat_template += opened
    tokenizer.save_pretrained(folder)
    run = import_model(folder, asked, here)
    assert run.record.imported is not None and run.record.imported.model is not None
    assert (THOUGHTS in run.record.imported.model.notes) == (opened == "<think>\n")
