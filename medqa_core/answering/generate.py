"""Greedy answers to many questions at once, for the evaluation.

Two engines give the same tokens: transformers' `generate` on any device, and CTranslate2, which on a CPU is several
times faster. `benchmarks/evaluation.py` says by how much and on how many questions they agree. What a reader watches
token by token is in `streams.py`.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import ctranslate2
import torch
import transformers

from medqa_core.foundation.progress import Progress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models import ctranslate
from medqa_core.models.variants import ModelVariants, Variant
from medqa_core.runs.schema.evaluation import Decoding, Precision

log = logging.getLogger("medqa.answering")

Batch = dict[int, list[int]]
"""Answers by the index of their prompt: token ids without the end token."""


class Engine(Protocol):
    """Decodes greedily."""

    def answers(self, prompts: Sequence[list[int]], max_new_tokens: int, done: Collection[int] = ()) -> Iterator[Batch]:
        """The most likely next tokens after each prompt, batch by batch.

        Args:
            prompts: token ids.
            max_new_tokens: where an answer that has not ended is cut.
            done: indices of prompts that need no answer; batches are laid out as if they did.
        """


def decoding_of(
    variants: ModelVariants, settings: Settings, max_new_tokens: int, precision: Precision = "float32"
) -> Decoding:
    """How both models decode here: `engine_for` described, for the protocol.

    Raises:
        ModelError: the cache folder cannot be written.
    """
    if converted(variants, "base", settings, silent):
        engine = f"CTranslate2 {ctranslate2.__version__}"
        return Decoding(max_new_tokens=max_new_tokens, engine=engine, precision=precision)
    return Decoding(max_new_tokens=max_new_tokens, engine=f"transformers {transformers.__version__}")


def engine_for(
    variants: ModelVariants,
    variant: Variant,
    settings: Settings,
    precision: Precision = "float32",
    progress: Progress = silent,
) -> Engine:
    """The fastest engine for one of the two models; CTranslate2's copy of the weights is made first if need be.

    Raises:
        ModelError: the cache folder cannot be written.
    """
    folder = converted(variants, variant, settings, progress)
    if folder is None:
        batch = Plain.BATCH if variants.base.device == "cpu" else Plain.ACCELERATOR_BATCH
        return Plain(partial(variants.using, variant), variants.tokenizer, batch)
    return Converted(folder, variants.tokenizer, precision)


def converted(variants: ModelVariants, variant: Variant, settings: Settings, progress: Progress) -> Path | None:
    """CTranslate2's copy of a variant, made first if need be; None where there can be none.

    Raises:
        ModelError: the cache folder cannot be written.
    """
    if not ctranslate.can_convert(variants):
        return None
    try:
        return ctranslate.ensure(variants, variant, settings.cache, progress)
    except ctranslate.NotConvertible as error:
        log.warning("%s; transformers answers instead, more slowly", error)
        return None


class Converted:
    """CTranslate2 on the CPU."""

    BATCH = 64

    def __init__(self, folder: Path, tokenizer: Any, precision: Precision = "float32") -> None:
        self._tokenizer = tokenizer
        self._generator = ctranslate2.Generator(
            str(folder), device="cpu", compute_type=precision, inter_threads=1, intra_threads=torch.get_num_threads()
        )

    def answers(self, prompts: Sequence[list[int]], max_new_tokens: int, done: Collection[int] = ()) -> Iterator[Batch]:
        """See Engine."""
        for batch in _batches(prompts, self.BATCH, done):
            found = self._generator.generate_batch(
                [self._tokenizer.convert_ids_to_tokens(prompts[index]) for index in batch],
                beam_size=1,
                sampling_topk=1,
                max_length=max_new_tokens,
                end_token=[self._tokenizer.eos_token_id],
                include_prompt_in_result=False,
            )
            yield {index: list(one.sequences_ids[0]) for index, one in zip(batch, found, strict=True)}


class Plain:
    """transformers' `generate`: prompts of like length share a batch, padded on the left."""

    BATCH = 16
    ACCELERATOR_BATCH = 128
    """A step of a small model takes a GPU as long for many rows as for few."""

    def __init__(self, hold: Callable[[], AbstractContextManager[Any]], tokenizer: Any, batch: int = BATCH) -> None:
        """`hold` gives the model for as long as a batch takes: nobody holds a model between two of them."""
        self._hold = hold
        self._tokenizer = tokenizer
        self._batch = batch

    def answers(self, prompts: Sequence[list[int]], max_new_tokens: int, done: Collection[int] = ()) -> Iterator[Batch]:
        """See Engine."""
        for batch in _batches(prompts, self._batch, done):
            with self._hold() as model:
                found = _generate(model, self._tokenizer, [prompts[index] for index in batch], max_new_tokens)
            yield dict(zip(batch, found, strict=True))


@torch.inference_mode()
def _generate(model: Any, tokenizer: Any, prompts: Sequence[list[int]], max_new_tokens: int) -> list[list[int]]:
    device = next(model.parameters()).device
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), tokenizer.pad_token_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    out = model.generate(
        input_ids=ids.to(device),
        attention_mask=mask.to(device),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        use_cache=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return [_until_end(row[width:].tolist(), tokenizer.eos_token_id) for row in out]


def _batches(prompts: Sequence[list[int]], size: int, done: Collection[int]) -> Iterator[list[int]]:
    """Indices of prompts of like length, the longest first: memory shows at once whether it suffices."""
    order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        if not all(index in done for index in batch):
            yield batch


def _until_end(ids: list[int], end: int) -> list[int]:
    return ids[: ids.index(end)] if end in ids else ids
