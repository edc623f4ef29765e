"""A tokenizer that ends answers with another token than its own."""

from typing import Any


class Ending:
    """`tokenizer` in everything but its end token."""

    def __init__(self, tokenizer: Any, end: int) -> None:
        self._tokenizer = tokenizer
        self.eos_token_id = end

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._tokenizer(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)
