"""`export`: what peft and transformers load has the fine-tuned model's logits."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from medqa_core.foundation.settings import Settings
from medqa_core.models import toy
from medqa_core.models.variants import load_variants
from medqa_core.runs.run import Run
from tests.support.commands import Command

TEXT = "What are the symptoms of gout?"


def logits(model: Any, tokenizer: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(**tokenizer(TEXT, return_tensors="pt")).logits
    return found


@pytest.fixture
def expected(smoke: Run, lab: Settings) -> torch.Tensor:
    """The fine-tuned variant's, as evaluation and Ask compute them."""
    variants = load_variants(smoke, lab)
    with variants.using("fine_tuned") as model:
        return logits(model, variants.tokenizer)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft's own
def test_peft_finds_the_adapter_at_the_root(
    cli: Command, smoke: Run, in_lab: Settings, expected: torch.Tensor, tmp_path: Path
) -> None:
    said = cli("export", "smoke", "--to", str(tmp_path / "out"))
    assert said.code == 0, said.err
    assert said.out.endswith(f"smoke: written to {tmp_path / 'out'}\n")
    assert " adapter_model.safetensors\n" in said.out
    base = toy.ensure(in_lab.cache)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "out")
    torch.testing.assert_close(logits(model, AutoTokenizer.from_pretrained(base)), expected)


def test_transformers_loads_merged_weights(cli: Command, smoke: Run, expected: torch.Tensor, tmp_path: Path) -> None:
    said = cli("export", "smoke", "--to", str(tmp_path / "out"), "--merged", "--json")
    assert said.code == 0, said.err
    paths = {one["path"] for one in said.json["files"]}
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "README.md"} <= paths
    assert not {path for path in paths if path.startswith("adapter")}
    model, report = AutoModelForCausalLM.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    torch.testing.assert_close(logits(model, tokenizer), expected, rtol=1e-4, atol=1e-5)
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert "auto_map" not in json.loads((tmp_path / "out" / "config.json").read_text())


def test_bad_input_is_one_line(cli: Command, smoke: Run, tmp_path: Path) -> None:
    assert "name a new folder" in cli("export", "smoke", "--to", str(tmp_path)).error
    assert "No run called 'none'" in cli("export", "none", "--to", str(tmp_path / "new")).error
    assert cli("export", "smoke").code == 2


def test_the_help_says_how_to_get_gguf(cli: Command) -> None:
    said = cli("export", "--help")
    assert said.code == 0 and "llama.cpp's own convert_hf_to_gguf.py" in " ".join(said.out.split())
