"""What tests of answers share: their end, their passages, and a tokenizer that ends them elsewhere."""

from collections.abc import Callable, Iterator
from typing import Any

from medqa_core.answering.compare import Answer, Answers, Column
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.streams import Streams
from medqa_core.models.variants import ModelVariants

StreamsOf = Callable[[ModelVariants], Streams]
"""What the fixture `streams_of` is: either engine."""


def last(items: Iterator[Answers]) -> dict[Column, Answer]:
    """The final answers by column."""
    return list(items)[-1].by_column


def passages(*texts: str) -> tuple[Passage, ...]:
    """Passages of these texts."""
    return tuple(Passage(text, "Gout", "What is gout?", str(n), "by hand", None) for n, text in enumerate(texts))


class Ending:
    """`tokenizer` in everything but its end token."""

    def __init__(self, tokenizer: Any, end: int) -> None:
        self._tokenizer = tokenizer
        self.eos_token_id = end

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._tokenizer(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)
