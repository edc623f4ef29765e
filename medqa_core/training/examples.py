"""A run's question-answer pairs as token ids: what is trained on, and what the validation loss is measured on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from medqa_core.answering.retrieval.library import library_of
from medqa_core.data.pairs import PairSet, QAPair
from medqa_core.data.preparation import counts, data_for, own_part
from medqa_core.data.sentences import trim
from medqa_core.data.split import Split, split_pairs
from medqa_core.data.templates import Templates
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import Example, answer_tokens, encode_example, encode_prompt
from medqa_core.models.variants import ModelVariants
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.evaluation import PromptKind
from medqa_core.runs.schema.record import PreparationRecord
from medqa_core.training.reading import Reading, readings

Count = Literal["template_cut", "template_left_out", "trimmed", "too_long_left_out", "right_passage"]


@dataclass(frozen=True)
class Encoded:
    """A training set ready to train on, what share of it was cut, and what its preparation did."""

    examples: tuple[Example, ...]
    truncated_share: float
    preparation: PreparationRecord | None = None


def encode(pairs: Sequence[QAPair], tokenizer: Any, kind: PromptKind, max_tokens: int) -> Encoded:
    """`pairs` as examples whose loss counts the answer and its end token, and not the prompt."""
    examples = tuple(encode_example(tokenizer, p.question, p.answer, kind, max_tokens, end=True) for p in pairs)
    return Encoded(examples, sum(example.truncated for example in examples) / len(examples))


def encode_for(
    config: TrainConfig, data: PairSet, parts: Split, tokenizer: Any, kind: PromptKind, settings: Settings
) -> tuple[Encoded, list[Example]]:
    """What `config` trains and validates on.

    Prepared answers, and those of task `open_book`, are no longer than `max_new_tokens` and end with the end token: a
    model that is to end in time has to have seen ends. Validation answers of task `closed_book` are the references,
    cut at `max_tokens` as at the evaluation; those of `open_book` are made as the training's are.

    Raises:
        InputError: no example is left.
        MedQAError: the library of passages cannot be made.
    """
    train = _training(config, data, parts.train, tokenizer, kind, settings)
    return train, _validation(config, data, parts.validation, tokenizer, kind, settings)


def validation_examples(settings: Settings, run: Run, variants: ModelVariants) -> list[Example]:
    """What the training of `run` validated on, made once more.

    Raises:
        DataUnavailable, InputError: the data set is not available, or the run has no configuration.
        MedQAError: the library of passages cannot be made.
    """
    config = run.record.config
    if config is None:
        raise InputError(f"{run.id} has no configuration.")
    data = data_for(config, settings, fetch=False)
    parts = split_pairs(data.pairs, config)
    return _validation(config, data, parts.validation, variants.tokenizer, variants.prompt, settings)


def _training(
    config: TrainConfig, data: PairSet, pairs: Sequence[QAPair], tokenizer: Any, kind: PromptKind, settings: Settings
) -> Encoded:
    if config.task == "closed_book" and config.preparation == "none":
        return encode(pairs, tokenizer, kind, config.max_tokens)
    encoder = _Encoder(config, tokenizer, kind)
    kept = encoder.without_template(pairs, data)
    if config.task == "open_book":
        return encoder.encoded(pairs, encoder.read(readings(kept, library_of(data, settings), config), end=True))
    return encoder.encoded(pairs, encoder.answered(kept))


def _validation(
    config: TrainConfig, data: PairSet, pairs: Sequence[QAPair], tokenizer: Any, kind: PromptKind, settings: Settings
) -> list[Example]:
    if config.task == "open_book":
        found = readings(pairs, library_of(data, settings), config)
        return _Encoder(config, tokenizer, kind).read(found, end=False)
    return [encode_example(tokenizer, pair.question, pair.answer, kind, config.max_tokens, end=False) for pair in pairs]


class _Encoder:
    """Prepared answers as examples; counts what it did to them."""

    def __init__(self, config: TrainConfig, tokenizer: Any, kind: PromptKind) -> None:
        self._config, self._tokenizer, self._kind = config, tokenizer, kind
        self._counts: Counter[Count] = Counter()

    def without_template(self, pairs: Sequence[QAPair], data: PairSet) -> Sequence[QAPair]:
        """The pairs whose answers are not mostly template, and the others' own parts."""
        most = self._config.max_template_share
        if most >= 1 or self._config.preparation == "none":
            return pairs
        templates = Templates.learn(data.pairs)
        kept = []
        for pair in pairs:
            text = own_part(pair, templates, most)
            if not text:
                self._counts["template_left_out"] += 1
                continue
            self._counts["template_cut"] += text != pair.answer
            kept.append(replace(pair, answer=text))
        return kept

    def answered(self, pairs: Sequence[QAPair]) -> list[Example]:
        """Question and answer alone, each answer with its end."""
        found = (self._example(pair.question, pair.answer, "", end=True) for pair in pairs)
        return [one for one in found if one is not None]

    def read(self, found: Sequence[Reading], *, end: bool) -> list[Example]:
        """Questions behind their passages; passages that do not fit beside the answer are spared."""
        made = []
        for reading in found:
            example = self._read(reading, end=end)
            if example is not None:
                self._counts["right_passage"] += reading.right is not None
                made.append(example)
        return made

    def encoded(self, pairs: Sequence[QAPair], examples: Sequence[Example]) -> Encoded:
        """The training set made of `pairs`, with what was done to them."""
        if not examples:
            raise InputError(
                "no training example is left: no answer's first sentence is short enough; raise max_tokens and "
                "max_new_tokens.",
                field="max_tokens",
            )
        cleaning = counts(pairs) if self._config.preparation != "none" else {}
        done: dict[str, int] = {str(name): count for name, count in (*cleaning.items(), *self._counts.items())}
        if self._config.task == "open_book":
            done.setdefault("right_passage", 0)
        record = PreparationRecord(answers=len(pairs), examples=len(examples), **done)
        return Encoded(tuple(examples), 0.0, record)

    def _read(self, reading: Reading, *, end: bool) -> Example | None:
        while not self._fits(reading) and (shorter := reading.shorter()) is not None:
            reading = shorter
        return self._example(reading.prompt, reading.answer, reading.suffix, end=end)

    def _fits(self, reading: Reading) -> bool:
        """Whether the passages leave room for as much of the answer as an answer may have."""
        wanted = min(self._config.max_new_tokens, self._tokens(reading.answer + reading.suffix) + 1)
        return self._prompt_tokens(reading.prompt) + wanted <= self._config.max_tokens

    def _example(self, question: str, answer: str, suffix: str, *, end: bool) -> Example | None:
        """The example with as many of the answer's sentences as have room; None where not even the first one has."""
        room = min(self._config.max_new_tokens, self._config.max_tokens - self._prompt_tokens(question)) - 1
        text = trim(answer, lambda part: self._tokens(part + suffix) <= room)
        if not text:
            self._counts["too_long_left_out"] += 1
            return None
        self._counts["trimmed"] += text != answer
        return encode_example(self._tokenizer, question, text + suffix, self._kind, self._config.max_tokens, end=end)

    def _tokens(self, text: str) -> int:
        return answer_tokens(self._tokenizer, text, self._kind)

    def _prompt_tokens(self, question: str) -> int:
        return len(encode_prompt(self._tokenizer, question, self._kind))
