"""Both models on the same test questions: losses and answers, each kept as soon as it is there."""

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from medqa_core.answering.engine import decoder_for
from medqa_core.answering.generate import answers as generate
from medqa_core.answering.generate import texts
from medqa_core.data.pairs import QAPair
from medqa_core.evaluation.loss import AnswerLoss, losses_by_batch
from medqa_core.evaluation.partial import Partial
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import Example, encode_example, encode_prompt
from medqa_core.models.variants import ModelVariants, Variant
from medqa_core.runs.schema.evaluation import Precision, PromptKind


@dataclass(frozen=True)
class Questions:
    """Test questions as the models get them."""

    examples: list[Example]
    """Question and reference, for the loss."""
    prompts: list[list[int]]
    """The question alone, for the answer."""

    @classmethod
    def of(cls, variants: ModelVariants, questions: Sequence[QAPair], kind: PromptKind, max_tokens: int) -> "Questions":
        """`questions` encoded for the models' tokenizer, question and reference cut to `max_tokens` together."""
        tokenizer = variants.tokenizer
        return cls(
            [encode_example(tokenizer, q.question, q.answer, kind, max_tokens, end=False) for q in questions],
            [encode_prompt(tokenizer, q.question, kind) for q in questions],
        )


@dataclass(frozen=True)
class Measured:
    """One model's results on the test questions, in their order."""

    losses: list[AnswerLoss]
    answers: list[list[int]]
    """Token ids without the end token."""
    loss_seconds: float
    answer_seconds: float

    def texts(self, tokenizer: Any) -> list[str]:
        """The answers as text."""
        return texts(tokenizer, self.answers)


def measure(
    variants: ModelVariants,
    variant: Variant,
    questions: Questions,
    max_new_tokens: int,
    settings: Settings,
    partial: Partial,
    *,
    precision: Precision = "float32",
    progress: StageProgress = silent,
) -> Measured:
    """One model on all questions; what `partial` holds of it is not computed again.

    Args:
        precision: of the weights while answering; the loss is always computed in float32.

    Raises:
        ModelError: the cache folder cannot be written.
    """

    def losses(done: Collection[int]) -> Iterator[dict[int, Any]]:
        with variants.using(variant) as model:
            for batch in losses_by_batch(model, questions.examples, done):
                # JSON has no infinity: a loss that is no number is kept as null, and counts as not finite.
                yield {i: [one.total if math.isfinite(one.total) else None, one.tokens] for i, one in batch.items()}

    def answers(done: Collection[int]) -> Iterator[dict[int, Any]]:
        total = len(questions.prompts)
        if len(done) < total:
            decoder = decoder_for(variants, settings, precision, lambda stage: progress(stage, len(done), total))
            end = variants.tokenizer.eos_token_id
            yield from generate(decoder, variant, questions.prompts, max_new_tokens, end, done)

    totals, loss_seconds = each(f"{variant}_loss", losses, len(questions.examples), partial, progress)
    ids, answer_seconds = each(f"{variant}_answers", answers, len(questions.prompts), partial, progress)
    known = [AnswerLoss(math.nan if total is None else total, tokens) for total, tokens in totals]
    return Measured(known, ids, loss_seconds, answer_seconds)


def each(
    stage: str,
    compute: Callable[[Collection[int]], Iterator[dict[int, Any]]],
    total: int,
    partial: Partial,
    progress: StageProgress,
) -> tuple[list[Any], float]:
    """A value per question and the seconds they took, those that were kept earlier included.

    Args:
        stage: under this name its values are kept.
        compute: given the questions that are done, the values of the others by their place, batch by batch.
        total: the number of questions.
    """
    kept = [row for row in partial.rows if row.get("stage") == stage]
    values = {int(index): value for row in kept for index, value in row["values"].items()}
    seconds = sum(row["seconds"] for row in kept)
    progress(stage, len(values), total)
    start = time.monotonic()
    for batch in compute(dict(values)):
        took, start = time.monotonic() - start, time.monotonic()
        partial.add([{"stage": stage, "seconds": round(took, 3), "values": batch}])
        values |= batch
        seconds += took
        progress(stage, len(values), total)
    return [values[index] for index in range(total)], seconds
