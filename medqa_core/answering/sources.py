"""What the answer with sources reads first: whose weights read it, how many passages, and how many of them fit."""

from collections.abc import Sequence
from dataclasses import dataclass

from medqa_core.answering.question import Question
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.retrieval.retriever import retriever_for
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import encode_prompt, with_passages
from medqa_core.models.variants import ModelVariants, Variant
from medqa_core.runs.run import Run

WITH_SOURCES_VARIANT: Variant = "fine_tuned"
"""Chosen on validation questions: docs/decisions/0014."""
PASSAGES = 3
"""Given with a question, fewer where fewer fit."""


@dataclass(frozen=True)
class Sources:
    """What was found for a question, and who reads it."""

    passages: tuple[Passage, ...]
    """The best first."""
    variant: Variant = WITH_SOURCES_VARIANT
    """Whose weights answer."""


def find_sources(question: Question, run: Run, settings: Settings) -> Sources:
    """The passages of the run's training documents that fit the question best.

    Raises:
        MedQAError: the run's data set is not available.
    """
    return Sources(tuple(retriever_for(run, settings).search(question.text, PASSAGES)))


def fitting(
    variants: ModelVariants, question: str, passages: Sequence[Passage], max_new_tokens: int
) -> tuple[list[int], tuple[Passage, ...]]:
    """The prompt with as many of the passages, best first, as leave room for the answer, and these passages.

    Without any where not even the first one fits; then it is the prompt of a question that nothing was found for.
    `question` is a text: the evaluation asks those of a data set, which nobody typed.
    """
    context = variants.base.context
    for count in range(len(passages), 0, -1):
        kept = tuple(passages[:count])
        ids = encode_prompt(variants.tokenizer, with_passages(question, [one.text for one in kept]), variants.prompt)
        if context is None or len(ids) + max_new_tokens <= context:
            return ids, kept
    return encode_prompt(variants.tokenizer, question, variants.prompt), ()
