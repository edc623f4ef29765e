"""Models as other people's scripts leave them: a few steps of plain PyTorch on the toy, saved with their own tools."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config

from medqa_core.foundation.settings import Settings
from medqa_core.models import toy
from medqa_core.models.silence import silenced

TEXT = "<|user|>\nWhat is gout?<|end|>\n<|assistant|>\nGout is a kind of arthritis with sudden pain.<|end|>\n"


def toy_folder(settings: Settings) -> Path:
    """The folder of the toy, as a script would name its base."""
    return toy.ensure(settings.cache)


def trained(base: Path, change: Callable[[Any], Any] | None = None, steps: int = 2) -> tuple[Any, Any]:
    """The model in `base`, or what `change` makes of it, after a few steps on one text; and its tokenizer."""
    with silenced(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        tokenizer = AutoTokenizer.from_pretrained(str(base))
        model = AutoModelForCausalLM.from_pretrained(str(base), dtype=torch.float32)
        model = change(model) if change is not None else model
        ids = torch.tensor([tokenizer(TEXT)["input_ids"]])
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)
        for _ in range(steps):
            model(input_ids=ids, labels=ids).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return model.eval(), tokenizer


def full_model(base: Path, folder: Path, *, shards: bool = False) -> Path:
    """A folder with whole weights, in one file or in shards with an index."""
    model, tokenizer = trained(base)
    with silenced():
        model.save_pretrained(folder, max_shard_size="100KB" if shards else "5GB")
        tokenizer.save_pretrained(folder)
    return folder


def lora(base: Path, folder: Path, **options: Any) -> Path:
    """A folder with a LoRA adapter as peft saves it."""
    settings = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"} | options
    model, _ = trained(base, lambda model: get_peft_model(model, LoraConfig(**settings)))
    with silenced():
        model.save_pretrained(folder)
    return folder


def tiny_model(base: Path, folder: Path) -> Path:
    """Another architecture, with the tokenizer of `base`."""
    with silenced(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        tokenizer = AutoTokenizer.from_pretrained(str(base))
        config = GPT2Config(
            vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=4, n_positions=512, eos_token_id=1, bos_token_id=1
        )
        AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def rows(questions: Sequence[tuple[str, str]], path: Path) -> Path:
    """A CSV of questions and answers."""
    lines = "".join(f'"{question}","{answer}"\n' for question, answer in questions)
    path.write_text(f"question,answer\n{lines}", encoding="utf-8")
    return path


ASKED = [
    (f"What are the symptoms of {name}?", f"The symptoms of {name} are {sign}, and they come and go for weeks.")
    for name, sign in (
        ("gout", "sudden pain in a toe"), ("asthma", "wheezing at night"), ("anemia", "a pale skin"),
        ("migraine", "a headache on one side"), ("measles", "a rash and fever"), ("mumps", "swollen cheeks"),
        ("rickets", "soft bones"), ("scurvy", "bleeding gums"), ("croup", "a barking cough"),
        ("shingles", "blisters in a band"), ("vertigo", "a spinning room"), ("sciatica", "pain down a leg"),
    )
]  # fmt: skip
"""Twelve questions of as many topics, invented."""
LEARNT = [
    ("What is gout?", "Gout is a kind of arthritis with sudden pain in one joint."),
    (
        "What are the symptoms of gout?",
        "The symptoms of gout are sudden pain in a toe, and they come and go for weeks.",
    ),
    ("What is rickets?", "Rickets is a softening of the bones in children."),
    ("How is scurvy treated?", "Scurvy is treated with vitamin C."),
    ("How is croup treated?", "Croup is treated with moist air and rest."),
    ("What is vertigo?", "Vertigo is the feeling that the room is spinning."),
]
"""What such a model may have been trained on; the second one is a test question."""
