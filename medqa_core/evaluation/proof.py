"""The proof that "base" means the base: its logits, with the adapter off, against those of the base loaded alone."""

from typing import Any

import torch

from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.pair import ModelPair
from medqa_core.models.prompt import encode_prompt

QUESTIONS = (
    "What are the symptoms of gout?",
    "How is asthma treated?",
    "Is high blood pressure inherited?",
)
"""What both are asked."""


def base_problem(pair: ModelPair, settings: Settings) -> str | None:
    """What is wrong with the pair's sides, or None where they are what they say.

    The base side's logits must equal, bit for bit, those of the same base loaded afresh without any adapter, and the
    fine-tuned side's must differ from them.

    Raises:
        ModelError: the base cannot be loaded again.
    """
    prompts = [encode_prompt(pair.tokenizer, question, pair.prompt) for question in QUESTIONS]
    with pair.side("base") as model:
        ours = [_logits(model, ids) for ids in prompts]
    with pair.side("fine_tuned") as model:
        tuned = [_logits(model, ids) for ids in prompts]
    base = load(pair.base.name, pair.base.revision, settings=settings, device=pair.base.device)
    alone = [_logits(base.model, ids) for ids in prompts]
    for question, one, other in zip(QUESTIONS, ours, alone, strict=True):
        if not torch.equal(one, other):
            return f"the base side does not compute what the base alone does ({question})"
    if all(torch.equal(one, other) for one, other in zip(tuned, alone, strict=True)):
        return "the fine-tuned side computes exactly what the base does: its weights change nothing"
    return None


@torch.inference_mode()
def _logits(model: Any, ids: list[int]) -> torch.Tensor:
    device = next(model.parameters()).device
    found: torch.Tensor = model(input_ids=torch.tensor([ids], device=device), use_cache=False).logits
    return found
