"""What is trained on: every pair as encoded, and how much of it was cut."""

from medqa_core.data import starter
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.prompt import encode_example
from medqa_core.training.examples import encode


def test_examples_are_the_encoded_pairs(lab: Settings) -> None:
    tokenizer = load("toy", settings=lab, device="cpu").tokenizer
    pairs = starter.load().pairs[:6]
    encoded = encode(pairs, tokenizer, "chat", 180)
    examples = [encode_example(tokenizer, p.question, p.answer, "chat", 180, end=True) for p in pairs]
    assert list(encoded.examples) == examples
    assert 0 < encoded.truncated_share < 1
    assert encoded.truncated_share == sum(example.truncated for example in examples) / 6
