"""A run's question-answer pairs as token ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from medqa_core.data.pairs import QAPair
from medqa_core.models.prompt import Example, encode_example
from medqa_core.runs.schema.evaluation import PromptKind


@dataclass(frozen=True)
class Encoded:
    """A training set ready to train on, and what share of it was cut."""

    examples: tuple[Example, ...]
    truncated_share: float


def encode(pairs: Sequence[QAPair], tokenizer: Any, kind: PromptKind, max_tokens: int) -> Encoded:
    """`pairs` as examples whose loss counts the answer and its end token, and not the prompt."""
    examples = tuple(encode_example(tokenizer, p.question, p.answer, kind, max_tokens, end=True) for p in pairs)
    return Encoded(examples, sum(example.truncated for example in examples) / len(examples))
