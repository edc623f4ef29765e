"""How the column with sources answers: whose weights, how many passages they read first, and how many fit."""

from collections.abc import Sequence

from medqa_core.answering.retrieval.passages import Passage
from medqa_core.models.prompt import encode_prompt, with_passages
from medqa_core.models.variants import ModelPair, Side

GROUNDED_SIDE: Side = "fine_tuned"
"""Chosen on validation questions: docs/decisions/0014."""
PASSAGES = 3
"""Given with a question, fewer where fewer fit."""


def fitting(
    pair: ModelPair, question: str, passages: Sequence[Passage], max_new_tokens: int
) -> tuple[list[int], tuple[Passage, ...]]:
    """The prompt with as many of the passages, best first, as leave room for the answer, and these passages.

    Without any where not even the first one fits; then it is the prompt of a question that nothing was found for.
    """
    context = pair.base.context
    for count in range(len(passages), 0, -1):
        kept = tuple(passages[:count])
        ids = encode_prompt(pair.tokenizer, with_passages(question, [one.text for one in kept]), pair.prompt)
        if context is None or len(ids) + max_new_tokens <= context:
            return ids, kept
    return encode_prompt(pair.tokenizer, question, pair.prompt), ()
