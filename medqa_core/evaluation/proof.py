"""The proof that "base" means the base: its logits, with the adapter off, against those of the base loaded alone."""

from typing import Any

import torch

from medqa_core.answering.decoder import Prompt, described
from medqa_core.answering.model_cache import Models
from medqa_core.answering.question import GenerationSettings
from medqa_core.answering.streams import stream
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.prompt import encode_prompt
from medqa_core.models.variants import VARIANTS, ModelVariants, Variant
from medqa_core.runs.schema.self_test import Failure, Problem, SelfTest

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


def base_problem(variants: ModelVariants, settings: Settings) -> Problem | None:
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
            return Problem(failure=Failure.BASE_DIFFERS, question=question)
    if all(torch.equal(one, other) for one, other in zip(tuned, alone, strict=True)):
        return Problem(failure=Failure.NOTHING_CHANGED)
    return None


def self_test(models: Models, settings: Settings) -> SelfTest:
    """Whether each column is who it says.

    `base_problem`, and then what answers here, which may be a converted copy: in float32 its greedy tokens must be
    those that the proven variants compute.

    Raises:
        ModelError: the base cannot be loaded again.
    """
    test = SelfTest(
        problem=base_problem(models.variants, settings),
        base_model=models.variants.base.name,
        questions=len(QUESTIONS),
        engine=described(models.decoder),
        precision=models.decoder.precision,
    )
    if test.problem is not None or test.precision != "float32":
        return test
    differ = False
    for question in QUESTIONS:
        ids = encode_prompt(models.variants.tokenizer, question, models.variants.prompt)
        answers = _answers(models, ids)
        differ |= answers["base"] != answers["fine_tuned"]
        for variant in VARIANTS:
            if not _says(models.variants, variant, ids, answers[variant]):
                problem = Problem(failure=Failure.OTHER_TOKENS, question=question, variant=variant)
                return test.model_copy(update={"problem": problem})
    return test.model_copy(update={"tokens": TOKENS, "columns_differ": differ})


def _answers(models: Models, ids: list[int]) -> dict[Variant, list[int]]:
    """The first tokens that answer here after the prompt `ids`, the end token included."""
    said: dict[Variant, list[int]] = {variant: [] for variant in VARIANTS}
    end: int = models.variants.tokenizer.eos_token_id
    prompts, limits = [Prompt(variant, ids) for variant in VARIANTS], [TOKENS] * len(VARIANTS)
    for step in stream(models.decoder, prompts, limits, GenerationSettings(temperature=0, no_repeat_ngram=0), end):
        if step is not None:
            said[VARIANTS[step.column]].append(end if step.token is None else step.token)
    return said


def _says(variants: ModelVariants, variant: Variant, ids: list[int], answer: list[int]) -> bool:
    """Whether a variant's weights would answer so, but for ties."""
    with variants.using(variant) as model:
        logits = _logits(model, ids + answer)[0, len(ids) - 1 : -1]
    chosen = logits[range(len(answer)), answer]
    return bool(torch.all(logits.max(-1).values - chosen <= NEAR))


@torch.inference_mode()
def _logits(model: Any, ids: list[int]) -> torch.Tensor:
    device = next(model.parameters()).device
    found: torch.Tensor = model(input_ids=torch.tensor([ids], device=device), use_cache=False).logits
    return found
