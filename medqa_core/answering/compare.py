"""One question, answered by both models at once and, where asked for, after reading sources."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from medqa_core.answering.admission import Limits
from medqa_core.answering.attribution import Sentence, sentences
from medqa_core.answering.decoder import Prompt, described
from medqa_core.answering.model_cache import Models
from medqa_core.answering.question import GenerationSettings, Question
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.sources import Searched, Sources, fitting
from medqa_core.answering.streams import Step, stream
from medqa_core.foundation.errors import QuestionRefused
from medqa_core.foundation.files import sha256_text
from medqa_core.models.prompt import Turn, encode_prompt, prompt_text, with_passages
from medqa_core.models.variants import VARIANTS, ModelVariants, Variant
from medqa_core.runs.schema.evaluation import Precision

Column = Literal["base", "fine_tuned", "with_sources"]
COLUMN_NAMES: dict[Column, str] = {
    "base": "Base model",
    "fine_tuned": "Fine-tuned model",
    "with_sources": "With sources",
}
FinishReason = Literal["stop", "length", "cancelled", "no_passage"]
"""`stop`: the model ended it; `length`: the token limit did; `cancelled`: the time limit or the reader did;
`no_passage`: there was none to answer from, which the text says; no model was asked."""
MOST_TURNS = 6
"""Earlier turns in a prompt: each costs every answer after it time to read."""
Earlier = Mapping[Column, Sequence[Turn]]
"""By column what was asked before and what that column answered, the oldest turn first."""
NOTHING_FOUND = "No passage found for this question."
NOTHING_FITS = "Passages were found for this question, but none fits into what the model reads at once with an answer."


def last_question(earlier: Earlier) -> str:
    """The question before this one; empty where this is the first."""
    return next((turns[-1].question for turns in earlier.values() if turns), "")


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
    """Of the whole text before the answer, passages and earlier turns included."""
    temperature: float
    max_new_tokens: int
    seed: int
    precision: Precision
    no_repeat_ngram: int
    """Tokens of a run that must not come twice in the answer; 0: any may."""
    passages: int = 0
    """Read before answering."""
    turns: int = 0
    """Earlier turns of the conversation in the prompt."""
    turns_left_out: int = 0
    """Older ones, which are not: the model's context or `MOST_TURNS` is full."""


@dataclass(frozen=True)
class Answer:
    """One column's answer so far."""

    text: str
    tokens: int
    seconds: float
    """From the question to the last token, while the other columns were computed too."""
    finish_reason: FinishReason | None
    """None while more tokens may come."""
    provenance: Provenance
    prompt_tokens: int | None = None
    """Read before it; None where that is not known."""

    @property
    def tokens_per_second(self) -> float:
        """Tokens over the column's seconds."""
        return self.tokens / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "tokens_per_second": round(self.tokens_per_second, 2)}


@dataclass(frozen=True)
class Answers:
    """The answers to one question so far."""

    by_column: dict[Column, Answer]
    question: str = ""
    passages: tuple[Passage, ...] = ()
    """Read before the answers with sources, the best first; those that do not fit the model's context are left out."""
    searched: Searched | None = None
    """Where they were looked for; None without sources."""
    reading: tuple[Column, ...] = ()
    """The columns that answer with sources."""

    @property
    def off_topic(self) -> tuple[str, ...]:
        """The topics of the passages where the question names none of them, each once; else none."""
        off = self.searched is not None and self.searched.on_topic is False
        return tuple(dict.fromkeys(one.topic for one in self.passages)) if off else ()

    def sentences(self, column: Column) -> tuple[Sentence, ...]:
        """The sentences of an answer with sources, each with the passage that supports it; none of another answer."""
        answer = self.by_column[column]
        if column not in self.reading or answer.finish_reason == "no_passage":
            return ()
        return sentences(answer.text, self.question, [one.text for one in self.passages])

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the answers by column; with sources also what was searched, the passages and what they support."""
        found: dict[str, Any] = {column: answer.as_dict() for column, answer in self.by_column.items()}
        if self.searched is None:
            return found
        for column in self.reading:
            found[column]["sentences"] = [asdict(one) for one in self.sentences(column)]
        return {**found, "passages": [asdict(one) for one in self.passages], "searched": asdict(self.searched)}

    @property
    def running(self) -> bool:
        """Whether more tokens may come."""
        return any(answer.finish_reason is None for answer in self.by_column.values())


@dataclass
class _Column:
    """One column as it grows."""

    tokenizer: Any
    provenance: Provenance
    prompt: Prompt
    ids: list[int]
    seconds: float = 0.0
    finish_reason: FinishReason | None = None
    instead: str = ""
    """What stands there in place of an answer."""

    def answer(self) -> Answer:
        """The answer so far; half a character at its end is held back until its other half is there."""
        text = self.instead or self.tokenizer.decode(self.ids, skip_special_tokens=True).strip()
        if self.finish_reason is None:
            text = text.rstrip("\ufffd")
        seconds, read = round(self.seconds, 3), len(self.prompt.ids)
        return Answer(text, len(self.ids), seconds, self.finish_reason, self.provenance, read)

    def add(self, step: Step, seconds: float) -> None:
        """One more token, `seconds` after the question."""
        self.seconds = seconds
        self.ids += [] if step.token is None else [step.token]
        if step.last:
            self.finish_reason = "stop" if step.token is None else "length"


def compare(
    models: Models,
    question: Question,
    settings: GenerationSettings | None = None,
    *,
    variants: Sequence[Variant] = VARIANTS,
    sources: Sources | None = None,
    earlier: Earlier | None = None,
    limits: Limits | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Generator[Answers, None, None]:
    """All answers after each token, until every one has ended; the last item is the final one.

    Args:
        models: what answers; nobody else may use them meanwhile.
        question: what is asked.
        settings: how tokens are chosen.
        variants: which of the two models answer.
        sources: what is read before answering; None: nothing is.
        earlier: the turns before the question. The newest ones that leave room for an answer stand in the prompt.
        limits: of tokens and seconds; they cut whatever `settings` ask for.
        cancelled: asked after each token; all answers stop when it says so. So they do when the iterator is closed.

    Raises:
        QuestionRefused: before anything is computed, where the question is longer than the model's context, or where
            there are earlier turns and the model takes none.
    """
    settings, limits = settings or GenerationSettings(), limits or Limits()
    most = min(settings.max_new_tokens, limits.max_new_tokens)
    asked = _asked(models.variants, question.text, variants, sources, most)
    before = earlier or {}
    columns = {name: _column(models, name, asked, settings, before.get(name, ()), most) for name in asked.columns}
    order = [column for column in columns.values() if not column.instead]
    prompts = [column.prompt for column in order]
    room = [min(most, _room(models.variants, prompt.ids)) for prompt in prompts]

    def shown() -> Answers:
        answers = {name: column.answer() for name, column in columns.items()}
        searched = sources.searched if sources else None
        return Answers(answers, question.text, asked.passages, searched, asked.reading)

    if not order:
        yield shown()
        return
    start = time.monotonic()
    # Closed at once when this generator is: the models must not go on for a reader who has left.
    with closing(stream(models.decoder, prompts, room, settings, models.variants.base.ends)) as steps:
        for step in steps:
            seconds = time.monotonic() - start
            if step is not None:
                order[step.column].add(step, seconds)
            running = [column for column in order if column.finish_reason is None]
            if running and (cancelled() or seconds > limits.seconds):
                for column in running:
                    column.finish_reason = "cancelled"
            answers = shown()
            yield answers
            if not answers.running:
                return


@dataclass(frozen=True)
class _Asked:
    """By column, whose weights answer and what they are asked."""

    columns: dict[Column, tuple[Variant, str]]
    reading: tuple[Column, ...] = ()
    passages: tuple[Passage, ...] = ()
    """That stand in the prompts of those that read."""
    instead: str = ""
    """What those say where there is no passage to read."""


def _asked(
    models: ModelVariants, question: str, variants: Sequence[Variant], sources: Sources | None, max_new_tokens: int
) -> _Asked:
    columns: dict[Column, tuple[Variant, str]] = {variant: (variant, question) for variant in variants}
    if sources is None:
        return _Asked(columns)
    reading: dict[Column, Variant] = {v: v for v in variants} if sources.both else {"with_sources": sources.variant}
    passages: tuple[Passage, ...] = ()
    if sources.searched.enough:
        _, passages = fitting(models, question, sources.passages, max_new_tokens)
    text = with_passages(question, [one.text for one in passages])
    instead = "" if passages else NOTHING_FITS if sources.searched.enough else NOTHING_FOUND
    columns |= {name: (variant, text) for name, variant in reading.items()}
    return _Asked(columns, tuple(reading), passages, instead)


def _column(
    models: Models, name: Column, asked: _Asked, settings: GenerationSettings, earlier: Sequence[Turn], most: int
) -> _Column:
    variant, text = asked.columns[name]
    tokenizer = models.variants.tokenizer
    ids, kept = _within(models.variants, text, earlier, most)
    prompt = Prompt(variant, ids)
    made = _provenance(models, name, variant, text, settings, kept)
    made = replace(made, turns=len(kept), turns_left_out=len(earlier) - len(kept))
    if name not in asked.reading:
        return _Column(tokenizer, made, prompt, [])
    reason: FinishReason | None = "no_passage" if asked.instead else None
    made = replace(made, passages=len(asked.passages))
    return _Column(tokenizer, made, prompt, [], finish_reason=reason, instead=asked.instead)


def _within(
    variants: ModelVariants, text: str, earlier: Sequence[Turn], max_new_tokens: int
) -> tuple[list[int], Sequence[Turn]]:
    """The prompt with as many of the newest turns as leave room for the answer, and these turns."""
    context = variants.base.context
    for count in range(min(len(earlier), MOST_TURNS), 0, -1):
        kept = earlier[-count:]
        ids = encode_prompt(variants.tokenizer, text, variants.prompt, kept)
        if context is None or len(ids) + max_new_tokens <= context:
            return ids, kept
    return encode_prompt(variants.tokenizer, text, variants.prompt), ()


def _provenance(
    models: Models, name: Column, variant: Variant, text: str, settings: GenerationSettings, earlier: Sequence[Turn]
) -> Provenance:
    variants = models.variants
    return Provenance(
        run_id=variants.run_id,
        variant=name,
        model=variants.base.name,
        revision=variants.base.revision,
        base_sha256=variants.base.sha256,
        adapter_sha256=variants.adapter_sha256 if variant == "fine_tuned" else None,
        engine=described(models.decoder),
        prompt=variants.prompt,
        prompt_sha256=sha256_text(prompt_text(variants.tokenizer, text, variants.prompt, earlier)),
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
