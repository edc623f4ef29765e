"""What tests of answers share: their end, their passages, and a tokenizer that ends them elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from medqa_core.answering.compare import Answer, Answers, Column, Provenance
from medqa_core.answering.decoder import Batch, Decoder, Logits, Prompt
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.sources import Searched, Sources
from medqa_core.models.variants import ModelVariants, Variant

DecoderOf = Callable[[ModelVariants], Decoder]
"""What the fixture `decoder_of` is: either engine."""


class Watched:
    """A decoder whose batches count what they do, and pass through `between` first."""

    def __init__(self, decoder: Decoder, between: Callable[[], object] = lambda: None) -> None:
        self.name, self.precision = decoder.name, decoder.precision
        self.steps: list[tuple[int, int]] = []
        """Rows and tokens a row of each step."""
        self.reads = 0
        self._decoder = decoder
        self._between = between

    def start(self, prompts: Sequence[Prompt]) -> "WatchedBatch":
        return WatchedBatch(self, self._decoder.start(prompts), self._between)


class WatchedBatch:
    """See Watched."""

    def __init__(self, owner: Watched, batch: Batch, between: Callable[[], object]) -> None:
        self._owner, self._batch, self._between = owner, batch, between

    def read(self) -> bool:
        self._between()
        self._owner.reads += 1
        return self._batch.read()

    def logits(self) -> Logits:
        return self._batch.logits()

    def step(self, tokens: Sequence[Sequence[int]]) -> Logits:
        self._between()
        self._owner.steps.append((len(tokens), len(tokens[0])))
        return self._batch.step(tokens)

    def keep(self, rows: Sequence[int]) -> None:
        self._batch.keep(rows)


def last(items: Iterator[Answers]) -> dict[Column, Answer]:
    """The final answers by column."""
    return list(items)[-1].by_column


def provenance(variant: Column = "base", **changes: Any) -> Provenance:
    """What produced an answer that a test writes by hand; the fine-tuned model's has weights of its own."""
    made = Provenance(
        run_id="smoke", variant=variant, model="toy", revision=None, base_sha256="0" * 64,
        adapter_sha256="1" * 64 if variant == "fine_tuned" else None, engine="by hand", prompt="chat",
        prompt_sha256="2" * 64, temperature=0.0, max_new_tokens=8, seed=1, precision="float32", no_repeat_ngram=0,
    )  # fmt: skip
    return replace(made, **changes)


def passages(*texts: str) -> tuple[Passage, ...]:
    """Passages of these texts."""
    return tuple(Passage(text, "Gout", "What is gout?", str(n), "by hand", None) for n, text in enumerate(texts))


def sources(*texts: str, both: bool = False, variant: Variant = "base", match: float = 1.0) -> Sources:
    """What was found where these texts were."""
    searched = Searched("data set", "by hand", 10, "a search", match if texts else 0.0, least_match=0.5)
    return Sources(passages(*texts), searched, both, variant)


class Ending:
    """`tokenizer` in everything but its end token."""

    def __init__(self, tokenizer: Any, end: int) -> None:
        self._tokenizer = tokenizer
        self.eos_token_id = end

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._tokenizer(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)
