"""How the column with sources answers: whose weights, how many passages they read first, and how many fit."""

from collections.abc import Sequence

from medqa_core.answering.retrieval.passages import Passage
from medqa_core.models.prompt import encode_prompt, with_passages
from medqa_core.models.variants import ModelVariants, Variant

WITH_SOURCES_VARIANT: Variant = "fine_tuned"
"""Chosen on validation questions: docs/decisions/0014."""
PASSAGES = 3
"""Given with a question, fewer where fewer fit."""


def fitting(
    variants: ModelVariants, question: str, passages: Sequence[Passage], max_new_tokens: int
) -> tuple[list[int], tuple[Passage, ...]]:
    """The prompt with as many of the passages, best first, as leave room for the answer, and these passages.

    Without any where not even the first one fits; then it is the prompt of a question that nothing was found for.
    """
    context = variants.base.context
    for count in range(len(passages), 0, -1):
        kept = tuple(passages[:count])
        ids = encode_prompt(variants.tokenizer, with_passages(question, [one.text for one in kept]), variants.prompt)
        if context is None or len(ids) + max_new_tokens <= context:
            return ids, kept
    return encode_prompt(variants.tokenizer, question, variants.prompt), ()
