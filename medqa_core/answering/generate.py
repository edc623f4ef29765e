"""Greedy answers to many questions at once, for the evaluation."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

BATCH = 16


@torch.inference_mode()
def greedy_answers(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    max_new_tokens: int,
    progress: Callable[[int], None] = lambda _: None,
) -> list[list[int]]:
    """The most likely next tokens after each prompt, in the order given, without the end token.

    Prompts of like length share a batch, padded on the left.

    Args:
        model: a causal language model in evaluation mode.
        tokenizer: its tokenizer, with a pad and an end token.
        prompts: token ids.
        max_new_tokens: where an answer that has not ended is cut.
        progress: called with the number of answers finished since the last call.
    """
    device = next(model.parameters()).device
    answers: list[list[int]] = [[] for _ in prompts]
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        width = max(len(prompts[i]) for i in batch)
        ids = torch.full((len(batch), width), tokenizer.pad_token_id, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, index in enumerate(batch):
            ids[row, width - len(prompts[index]) :] = torch.tensor(prompts[index])
            mask[row, width - len(prompts[index]) :] = 1
        out = model.generate(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            use_cache=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
        for row, index in enumerate(batch):
            answers[index] = _until_end(out[row, width:].tolist(), tokenizer.eos_token_id)
        progress(len(batch))
    return answers


def _until_end(ids: list[int], end: int) -> list[int]:
    return ids[: ids.index(end)] if end in ids else ids
