"""One question, answered side by side: the base, the fine-tuned model and, where asked for, one that reads sources."""

import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from medqa_core.answering.admission import Limits
from medqa_core.answering.grounding import fitting
from medqa_core.answering.model_cache import Models
from medqa_core.answering.question import GenerationSettings, checked_question
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.streams import Prompt
from medqa_core.foundation.errors import QuestionRefused
from medqa_core.foundation.files import sha256_text
from medqa_core.models.prompt import encode_prompt, prompt_text, with_passages
from medqa_core.models.variants import ModelVariants, Variant

Column = Literal["base", "fine_tuned", "with_sources"]
State = Literal["running", "ended", "cut", "stopped"]
"""`ended`: the model ended it; `cut`: the token limit did; `stopped`: the time limit or the reader did."""


@dataclass(frozen=True)
class Grounding:
    """What the third column reads before it answers."""

    variant: Variant
    """Whose weights answer."""
    passages: tuple[Passage, ...]
    """The best first; those that do not fit the model's context are left out."""


@dataclass(frozen=True)
class Provenance:
    """What produced an answer: with these and the same versions, the same answer comes out again."""

    run_id: str
    variant: Column
    model: str
    revision: str | None
    base_sha256: str
    adapter_sha256: str | None
    """None for the base model: nothing was added to it."""
    engine: str
    prompt: str
    prompt_sha256: str
    """Of the whole text before the answer, passages included."""
    temperature: float
    max_new_tokens: int
    seed: int
    precision: str


@dataclass(frozen=True)
class Answer:
    """One column's answer so far."""

    text: str
    tokens: int
    seconds: float
    """From the question to the last token, while the other columns were computed too."""
    state: State
    provenance: Provenance

    @property
    def tokens_per_second(self) -> float:
        """Tokens over the column's seconds."""
        return self.tokens / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "tokens_per_second": round(self.tokens_per_second, 2)}


@dataclass
class _Column:
    """One column as it grows."""

    tokenizer: Any
    provenance: Provenance
    ids: list[int]
    seconds: float = 0.0
    state: State = "running"

    def answer(self) -> Answer:
        """The answer so far; half a character at its end is held back until its other half is there."""
        text = self.tokenizer.decode(self.ids, skip_special_tokens=True).strip()
        if self.state == "running":
            text = text.rstrip("\ufffd")
        return Answer(text, len(self.ids), round(self.seconds, 3), self.state, self.provenance)


def compare(
    models: Models,
    question: str,
    settings: GenerationSettings | None = None,
    *,
    grounding: Grounding | None = None,
    limits: Limits | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Generator[dict[Column, Answer], None, None]:
    """All answers after each token, until every one has ended; the last item is the final one.

    Args:
        models: what answers; nobody else may use them meanwhile.
        question: what is asked.
        settings: how tokens are chosen.
        grounding: passages for a third column; None: there is none.
        limits: of tokens and seconds; they cut whatever `settings` ask for.
        cancelled: asked after each token; all answers stop when it says so. So they do when the iterator is closed.

    Raises:
        QuestionRefused: before anything is computed.
    """
    settings, limits = settings or GenerationSettings(), limits or Limits()
    asked = checked_question(question)
    prompts, columns = {}, {}
    most = min(settings.max_new_tokens, limits.max_new_tokens)
    for name, variant, text in _columns(models.variants, asked, grounding, most):
        ids = encode_prompt(models.variants.tokenizer, text, models.variants.prompt)
        prompts[name] = Prompt(variant, ids, min(most, _room(models.variants, ids)))
        columns[name] = _Column(models.variants.tokenizer, _provenance(models, name, variant, text, settings), [])
    start = time.monotonic()
    names = list(columns)
    # Closed at once when this generator is: the models must not go on for a reader who has left.
    steps = models.streams.decode(list(prompts.values()), settings)
    try:
        for step in steps:
            now = time.monotonic()
            if step is not None:
                column = columns[names[step.column]]
                column.seconds = now - start
                column.ids += [] if step.token is None else [step.token]
                if step.last:
                    column.state = "ended" if step.token is None else "cut"
            if any(c.state == "running" for c in columns.values()) and (cancelled() or now - start > limits.seconds):
                for column in columns.values():
                    column.state = "stopped" if column.state == "running" else column.state
            yield {name: column.answer() for name, column in columns.items()}
            if all(column.state != "running" for column in columns.values()):
                return
    finally:
        steps.close()


def _columns(
    variants: ModelVariants, question: str, grounding: Grounding | None, max_new_tokens: int
) -> list[tuple[Column, Variant, str]]:
    """Each column's name, whose weights answer, and what they are asked."""
    both: list[tuple[Column, Variant, str]] = [("base", "base", question), ("fine_tuned", "fine_tuned", question)]
    if grounding is None:
        return both
    _, passages = fitting(variants, question, grounding.passages, max_new_tokens)
    return [*both, ("with_sources", grounding.variant, with_passages(question, [one.text for one in passages]))]


def _provenance(models: Models, name: Column, variant: Variant, text: str, settings: GenerationSettings) -> Provenance:
    variants = models.variants
    return Provenance(
        run_id=variants.run_id,
        variant=name,
        model=variants.base.name,
        revision=variants.base.revision,
        base_sha256=variants.base.sha256,
        adapter_sha256=variants.adapter_sha256 if variant == "fine_tuned" else None,
        engine=models.streams.name,
        prompt=variants.prompt,
        prompt_sha256=sha256_text(prompt_text(variants.tokenizer, text, variants.prompt)),
        **settings.model_dump(),
    )


def _room(variants: ModelVariants, prompt: list[int]) -> int:
    """Tokens that fit behind the prompt; rare characters cost several each, and some models end at 1,024."""
    context = variants.base.context
    if context is None:
        return 2**31 - 1
    if len(prompt) >= context:
        raise QuestionRefused(
            f"The question takes {len(prompt):,} tokens and {variants.base.name} reads {context:,} at most: shorten it."
        )
    return context - len(prompt)
