"""What the Trainer is fed: every example as encoded, padded on the right, padding never counted."""

from typing import Any

import pytest

from medqa_core.data import starter
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.prompt import IGNORED, encode_example
from medqa_core.training.examples import RightPadding, encode


@pytest.fixture(scope="module")
def tokenizer(lab: Settings) -> Any:
    return load("toy", settings=lab, device="cpu").tokenizer


def test_rows_are_the_encoded_pairs(tokenizer: Any) -> None:
    pairs = starter.load().pairs[:6]
    encoded = encode(pairs, tokenizer, "chat", 180)
    examples = [encode_example(tokenizer, p.question, p.answer, "chat", 180, end=True) for p in pairs]
    assert encoded.dataset["input_ids"][:] == [example.input_ids for example in examples]
    assert encoded.dataset["labels"][:] == [example.labels for example in examples]
    assert encoded.dataset["length"][:] == [len(example.input_ids) for example in examples]
    assert 0 < encoded.truncated_share < 1
    assert encoded.truncated_share == sum(example.truncated for example in examples) / 6


def test_padding_is_on_the_right_and_never_counted() -> None:
    batch = RightPadding(pad_token_id=9)(
        [
            {"input_ids": [1, 2, 3], "labels": [IGNORED, 2, 3], "length": 3},  # type: ignore[dict-item]
            {"input_ids": [4], "labels": [4], "length": 1},  # type: ignore[dict-item]
        ]
    )
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[1, 2, 3], [4, 9, 9]],
        "labels": [[IGNORED, 2, 3], [4, IGNORED, IGNORED]],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
    }
