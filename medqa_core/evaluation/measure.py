"""Both models on the same test questions: losses and answers, each kept as soon as it is there."""

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from medqa_core.answering.decoder import Decoder
from medqa_core.answering.generate import answers as generate
from medqa_core.answering.generate import texts
from medqa_core.data.pairs import QAPair
from medqa_core.evaluation.base_memory import BaseMemory, keys_of
from medqa_core.evaluation.loss import AnswerLoss, losses_by_prompt
from medqa_core.evaluation.partial import Partial
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.models.prompt import Example, cited, encode_example, encode_prompt, with_prompt, without_citations
from medqa_core.models.variants import ModelVariants, Variant
from medqa_core.runs.schema.evaluation import Decoding, Generation, PromptKind

MOST_NATS = 65535
"""Thousandths of a nat that fit what a run keeps of a token: 65.535 nats, a chance of one in 10 to the 28th."""


@dataclass(frozen=True)
class Questions:
    """Test questions as the models get them."""

    examples: list[Example]
    """Question and reference, for the loss."""
    prompts: list[list[int]]
    """The question without its reference, for the answer."""
    elsewhere: list[Example | None] = field(default_factory=list)
    """A question about another topic and the same reference; empty where that is not measured."""

    @classmethod
    def of(
        cls,
        variants: ModelVariants,
        questions: Sequence[QAPair],
        kind: PromptKind,
        max_tokens: int,
        others: Sequence[QAPair | None] = (),
        prompts: Sequence[str] = (),
    ) -> "Questions":
        """`questions` encoded for the models' tokenizer, question and reference cut to `max_tokens` together.

        Args:
            others: for each question one about another topic, under which its reference's loss is taken too.
            prompts: for each question what stands in its prompt, passages included; empty: the questions alone. One
                about another topic is asked with its own, where it is one of `questions`.
        """
        tokenizer = variants.tokenizer
        said = prompts or [one.question for one in questions]
        asked = {question.id: text for question, text in zip(questions, said, strict=True)}

        def text(question: QAPair) -> str:
            return asked.get(question.id, question.question)

        examples = [encode_example(tokenizer, text(q), q.answer, kind, max_tokens, end=False) for q in questions]
        return cls(
            examples,
            [encode_prompt(tokenizer, text(q), kind) for q in questions],
            [
                None if other is None else with_prompt(tokenizer, text(other), example, kind, max_tokens)
                for other, example in zip(others, examples, strict=False)
            ],
        )


@dataclass(frozen=True)
class ReferenceLoss:
    """One reference answer's loss, as a run keeps it."""

    total: float
    """Nats, summed over its tokens; NaN where that is no number."""
    tokens: int
    nats: tuple[int, ...] | None
    """Of each token, in thousandths of a nat, MOST_NATS at most; None where one is no number."""

    @property
    def mean(self) -> float:
        """Nats per token; NaN for an answer of no token."""
        return self.total / self.tokens if self.tokens else math.nan

    @classmethod
    def of(cls, kept: Sequence[Any]) -> "ReferenceLoss":
        """From what a partial evaluation keeps."""
        total, tokens, nats = kept
        return cls(math.nan if total is None else total, tokens, None if nats is None else tuple(nats))


@dataclass(frozen=True)
class Losses:
    """One model's losses on the test questions' references, in their order."""

    own: list[ReferenceLoss]
    elsewhere: list[ReferenceLoss | None]
    """Under a question about another topic."""
    seconds: float


@dataclass(frozen=True)
class Answered:
    """One model's answers to the test questions, in their order."""

    texts: list[str]
    tokens: list[int]
    """Generated, without the end token."""
    seconds: float
    cited: list[int] = field(default_factory=list)
    """Passages whose numbers each answer named; empty where none were read."""

    @classmethod
    def of_rows(cls, texts: pd.Series, tokens: pd.Series, cited: pd.Series, made: Generation | None) -> "Answered":
        """Those of an earlier measurement, from what a run keeps of them."""
        named = [] if cited.isna().any() else [int(n) for n in cited]
        return cls(texts.tolist(), [int(n) for n in tokens], made.seconds if made else 0.0, named)

    def of_reader(self) -> "Answered":
        """The same of a model that reads passages: their numbers are counted and taken out of the texts."""
        plain = [without_citations(text).strip() for text in self.texts]
        return replace(self, texts=plain, cited=[len(cited(text)) for text in self.texts])


def measure_losses(
    variants: ModelVariants,
    variant: Variant,
    questions: Questions,
    partial: Partial,
    memory: BaseMemory,
    progress: StageProgress = silent,
) -> Losses:
    """One model's losses, always in float32; what `partial` holds of them, or `memory` of the base's, is not computed.

    References under their own question and under another one are computed in the same batches.
    """
    more = [example for example in questions.elsewhere if example is not None]
    examples = [*questions.examples, *more]

    def compute(done: Collection[int]) -> Iterator[dict[int, Any]]:
        with variants.using(variant) as model:
            for batch in losses_by_prompt(model, examples, done):
                yield {index: _kept(one) for index, one in batch.items()}

    recalled = None
    if variant == "base":
        asked = keys_of([one.input_ids, one.prompt_tokens] for one in examples)
        recalled = Recalled(memory, {"measured": "loss"}, asked)
    kept, seconds = each(f"{variant}_loss", compute, len(examples), partial, progress, recalled)
    found = [ReferenceLoss.of(one) for one in kept]
    rest = iter(found[len(questions.examples) :])
    elsewhere = [None if example is None else next(rest) for example in questions.elsewhere]
    return Losses(found[: len(questions.examples)], elsewhere, seconds)


def measure_answers(
    variants: ModelVariants,
    variant: Variant,
    questions: Questions,
    decoding: Decoding,
    decoder: Callable[[], Decoder],
    partial: Partial,
    memory: BaseMemory,
    progress: StageProgress = silent,
) -> Answered:
    """One model's answers; what `partial` holds of them, or `memory` of the base's, is not computed.

    Args:
        decoding: how `decoder` decodes.
        decoder: gives the engine, which is not made where there is nothing to answer.

    Raises:
        ModelError: the cache folder cannot be written.
    """

    ends = variants.base.ends

    def compute(done: Collection[int]) -> Iterator[dict[int, Any]]:
        if len(done) < len(questions.prompts):
            yield from generate(decoder(), variant, questions.prompts, decoding.max_new_tokens, ends, done)

    how: dict[str, Any] = {
        "measured": "answer",
        "end": ends[0] if len(ends) == 1 else [*ends],
        **decoding.model_dump(mode="json"),
    }
    recalled = Recalled(memory, how, keys_of(questions.prompts)) if variant == "base" else None
    ids, seconds = each(f"{variant}_answers", compute, len(questions.prompts), partial, progress, recalled)
    return Answered(texts(variants.tokenizer, ids), [len(one) for one in ids], seconds)


def _kept(one: AnswerLoss) -> list[Any]:
    """JSON has no infinity: a loss that is no number is kept as null, and counts as not finite."""
    finite = math.isfinite(one.total)
    nats = [min(round(1000 * value), MOST_NATS) for value in one.nats] if finite else None
    return [one.total if finite else None, one.tokens, nats]


@dataclass(frozen=True)
class Recalled:
    """A memory as one stage asks it."""

    memory: BaseMemory
    how: dict[str, Any]
    keys: Sequence[str]
    """Of the questions, in their order."""


def each(
    stage: str,
    compute: Callable[[Collection[int]], Iterator[dict[int, Any]]],
    total: int,
    partial: Partial,
    progress: StageProgress,
    recalled: Recalled | None = None,
) -> tuple[list[Any], float]:
    """A value per question and the seconds they took, those that were kept earlier included.

    Args:
        stage: under this name its values are kept.
        compute: given the questions that are done, the values of the others by their place, batch by batch.
        total: the number of questions.
        recalled: what gives values that an earlier run had too, and gets the new ones.
    """
    kept = [row for row in partial.rows if row.get("stage") == stage]
    values = {int(index): value for row in kept for index, value in row["values"].items()}
    seconds = sum(row["seconds"] for row in kept)
    if recalled:
        known = recalled.memory.known(recalled.how)
        found = {index: known[key] for index, key in enumerate(recalled.keys) if index not in values and key in known}
        values |= {index: value for index, (value, _) in found.items()}
        seconds += sum(took for _, took in found.values())
    progress(stage, len(values), total)
    start = time.monotonic()
    for batch in compute(dict(values)):
        took, start = time.monotonic() - start, time.monotonic()
        partial.add([{"stage": stage, "seconds": round(took, 3), "values": batch}])
        if recalled:
            recalled.memory.keep(recalled.how, {recalled.keys[index]: value for index, value in batch.items()}, took)
        values |= batch
        seconds += took
        progress(stage, len(values), total)
    return [values[index] for index in range(total)], seconds
