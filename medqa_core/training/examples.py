"""A run's question-answer pairs as token ids, padded a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset

from medqa_core.data.pairs import Pair
from medqa_core.models.prompt import IGNORED, PromptKind, encode_example


@dataclass(frozen=True)
class Encoded:
    """A training set ready for the Trainer, and what share of it was cut."""

    dataset: Dataset
    truncated_share: float


def encode(pairs: Sequence[Pair], tokenizer: Any, kind: PromptKind, max_tokens: int) -> Encoded:
    """`pairs` with columns input_ids, labels (the answer and its end token; the prompt ignored) and length."""
    examples = [encode_example(tokenizer, p.question, p.answer, kind, max_tokens, end=True) for p in pairs]
    dataset = Dataset.from_dict(
        {
            "input_ids": [example.input_ids for example in examples],
            "labels": [example.labels for example in examples],
            "length": [len(example.input_ids) for example in examples],
        }
    )
    return Encoded(dataset, sum(example.truncated for example in examples) / len(examples))


@dataclass(frozen=True)
class RightPadding:
    """Collates examples to the longest of the batch, padded on the right."""

    pad_token_id: int

    def __call__(self, features: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        """input_ids, labels and attention_mask, each (examples, longest example)."""
        width = max(len(feature["input_ids"]) for feature in features)

        def stack(name: str, filler: int) -> torch.Tensor:
            return torch.tensor([f[name] + [filler] * (width - len(f[name])) for f in features])

        return {
            "input_ids": stack("input_ids", self.pad_token_id),
            "labels": stack("labels", IGNORED),
            "attention_mask": torch.tensor(
                [[1] * len(f["input_ids"]) + [0] * (width - len(f["input_ids"])) for f in features]
            ),
        }
