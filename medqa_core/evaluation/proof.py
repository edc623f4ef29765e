"""The proof that "base" means the base: its logits, with the adapter off, against those of the base loaded alone."""

from typing import Any

import torch

from medqa_core.answering.model_cache import Models
from medqa_core.answering.question import GenerationSettings
from medqa_core.answering.streams import Prompt
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.prompt import encode_prompt
from medqa_core.models.variants import VARIANTS, ModelVariants

QUESTIONS = (
    "What are the symptoms of gout?",
    "How is asthma treated?",
    "Is high blood pressure inherited?",
)
"""What both are asked."""
TOKENS = 12
"""Of each answer, where answers are compared."""
NEAR = 1e-3
"""Logits no further apart are a tie, which two engines may round either way."""


def base_problem(variants: ModelVariants, settings: Settings) -> str | None:
    """What is wrong with the two models, or None where they are what they say.

    The base variant's logits must equal, bit for bit, those of the same base loaded afresh without any adapter, and the
    fine-tuned variant's must differ from them.

    Raises:
        ModelError: the base cannot be loaded again.
    """
    prompts = [encode_prompt(variants.tokenizer, question, variants.prompt) for question in QUESTIONS]
    with variants.using("base") as model:
        ours = [_logits(model, ids) for ids in prompts]
    with variants.using("fine_tuned") as model:
        tuned = [_logits(model, ids) for ids in prompts]
    base = load(variants.base.name, variants.base.revision, settings=settings, device=variants.base.device)
    alone = [_logits(base.model, ids) for ids in prompts]
    for question, one, other in zip(QUESTIONS, ours, alone, strict=True):
        if not torch.equal(one, other):
            return f"the base variant does not compute what the base alone does ({question})"
    if all(torch.equal(one, other) for one, other in zip(tuned, alone, strict=True)):
        return "the fine-tuned variant computes exactly what the base does: its weights change nothing"
    return None


def self_test(models: Models, settings: Settings) -> tuple[bool, str]:
    """Whether each column is who it says, and a sentence that says what was compared.

    `base_problem`, and then what answers here, which may be a converted copy: in float32 its greedy tokens must be
    those that the proven variants compute.

    Raises:
        ModelError: the base cannot be loaded again.
    """
    problem = base_problem(models.variants, settings)
    if problem:
        return False, f"Failed: {problem}."
    proven = (
        f"On {len(QUESTIONS)} questions the base column's logits equal, bit for bit, those of "
        f"{models.variants.base.name} loaded afresh without any adapter; the fine-tuned column's do not."
    )
    if models.streams.precision != "float32":
        return True, f"{proven} What answers now is their int8 copy, whose tokens may differ."
    differ = False
    for question in QUESTIONS:
        ids = encode_prompt(models.variants.tokenizer, question, models.variants.prompt)
        said: list[list[int | None]] = [[], []]
        prompts = [Prompt(variant, ids, TOKENS) for variant in VARIANTS]
        for step in models.streams.decode(prompts, GenerationSettings(temperature=0)):
            if step is not None:
                said[step.column].append(step.token)
        differ |= said[0] != said[1]
        for variant, tokens in zip(VARIANTS, said, strict=True):
            answer = [models.variants.tokenizer.eos_token_id if token is None else token for token in tokens]
            with models.variants.using(variant) as model:
                logits = _logits(model, ids + answer)[0, len(ids) - 1 : -1]
            chosen = logits[range(len(answer)), answer]
            if not torch.all(logits.max(-1).values - chosen <= NEAR):
                return False, f"Failed: {models.streams.name} does not say what the {variant} weights do ({question})."
    same = f"{models.streams.name}, which answers here, says the same first {TOKENS} tokens as they do"
    alike = "" if differ else "; these are the same in both columns, so that they cannot tell one from the other"
    return True, f"{proven} {same}{alike}."


@torch.inference_mode()
def _logits(model: Any, ids: list[int]) -> torch.Tensor:
    device = next(model.parameters()).device
    found: torch.Tensor = model(input_ids=torch.tensor([ids], device=device), use_cache=False).logits
    return found
