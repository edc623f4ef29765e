"""Greedy answers to many questions, for the evaluation."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from medqa_core.answering.decoder import Decoder, Ends, Prompt, ends_of, read
from medqa_core.models.variants import Variant

BATCH = 64
"""Prompts decoded together."""
WORTH_KEEPING = 0.5
"""Once so few of a batch's rows are left, the others' places are given up: that copies what is cached."""

Answers = dict[int, list[int]]
"""By the index of their prompt: token ids without the one that ended them."""


def answers(
    decoder: Decoder,
    variant: Variant,
    prompts: Sequence[list[int]],
    max_new_tokens: int,
    end: Ends,
    done: Collection[int] = (),
) -> Iterator[Answers]:
    """The most likely next tokens after each prompt, batch by batch.

    Args:
        decoder: what decodes.
        variant: whose weights answer.
        prompts: token ids.
        max_new_tokens: where an answer that has not ended is cut.
        end: what ends an answer.
        done: indices of prompts that need no answer; batches are laid out as if they did.
    """
    for batch in _batches(prompts, BATCH, done):
        found = _greedy(decoder, [Prompt(variant, prompts[index]) for index in batch], max_new_tokens, end)
        yield dict(zip(batch, found, strict=True))


def texts(tokenizer: Any, found: Sequence[Sequence[int]]) -> list[str]:
    """Answers as text."""
    return [tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in found]


def _greedy(decoder: Decoder, prompts: Sequence[Prompt], max_new_tokens: int, end: Ends) -> list[list[int]]:
    ends = ends_of(end)
    batch = read(decoder, prompts)
    found: list[list[int]] = [[] for _ in prompts]
    rows = list(range(len(prompts)))  # which prompt each row of the batch is
    running = set(rows) if max_new_tokens > 0 else set()
    logits = batch.logits()
    while running:
        tokens = logits.argmax(-1).tolist()
        for row, token in zip(rows, tokens, strict=True):
            if row in running:
                if token in ends or len(found[row]) + 1 == max_new_tokens:
                    running.discard(row)
                if token not in ends:
                    found[row].append(token)
        if running and len(running) <= WORTH_KEEPING * len(rows):
            kept = [place for place, row in enumerate(rows) if row in running]
            batch.keep(kept)
            rows, tokens = [rows[place] for place in kept], [tokens[place] for place in kept]
        if running:
            logits = batch.step([[token] for token in tokens])[:, 0]
    return found


def _batches(prompts: Sequence[list[int]], size: int, done: Collection[int]) -> Iterator[list[int]]:
    """Indices of prompts of like length, the longest first: memory shows at once whether it suffices."""
    order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        if not all(index in done for index in batch):
            yield batch
