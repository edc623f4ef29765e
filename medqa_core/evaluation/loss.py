"""Cross entropy per token of the reference answer, in nats."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from medqa_core.evaluation.continuations import Forward, Row, Tokens
from medqa_core.models.prompt import IGNORED, Example

TOKEN_BUDGET = 1536
"""Tokens a batch, padding included: it bounds the logits' memory (tokens × vocabulary × 4 bytes)."""
LONG_PROMPT = 128
"""Tokens from which on a prompt that several answers share is read once; shorter ones go better in batches."""


@dataclass(frozen=True)
class AnswerLoss:
    """One answer's negative log-likelihood, summed over its tokens (nats), and how many tokens that is."""

    total: float
    tokens: int
    nats: tuple[float, ...] = ()
    """Of each token."""

    @property
    def mean(self) -> float:
        """Nats per token; NaN for an answer of no token."""
        return self.total / self.tokens if self.tokens else float("nan")


def answer_losses(
    model: Any, examples: Sequence[Example], progress: Callable[[int], None] = lambda _: None
) -> list[AnswerLoss]:
    """The loss of each example's answer, in the order given; `progress` gets how many were finished in each batch."""
    losses: dict[int, AnswerLoss] = {}
    for batch in losses_by_batch(model, examples):
        losses |= batch
        progress(len(batch))
    return [losses[index] for index in range(len(examples))]


def losses_by_batch(
    model: Any, examples: Sequence[Example], done: Collection[int] = ()
) -> Iterator[dict[int, AnswerLoss]]:
    """The loss of each example's answer by its index, batch by batch.

    Batches hold examples of like length up to a budget of tokens, padded on the right. Causal attention never looks
    to the right, so padding changes nothing but the last digits.

    Args:
        model: a causal language model in evaluation mode.
        examples: encoded without an end token, so that the loss counts the answer's own tokens only.
        done: indices that need not be computed again; batches are laid out as if nothing were done, so that the
            others come out the same to the last bit.
    """
    for batch in _batches(examples):
        if all(index in done for index in batch):
            continue
        yield dict(zip(batch, _losses(model, [examples[index] for index in batch]), strict=True))


def losses_by_prompt(
    model: Any, examples: Sequence[Example], done: Collection[int] = ()
) -> Iterator[dict[int, AnswerLoss]]:
    """As `losses_by_batch`, and a long prompt that several answers stand behind is read once for all of them.

    For a prompt with passages and the two references that an evaluation measures behind it that is a third less work.
    """
    behind: dict[Tokens, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        if LONG_PROMPT <= example.prompt_tokens < len(example.input_ids):
            behind[tuple(example.input_ids[: example.prompt_tokens])].append(index)
    shared = {prompt: indices for prompt, indices in behind.items() if len(indices) > 1}
    together = {index for indices in shared.values() for index in indices}
    alone = [index for index in range(len(examples)) if index not in together]
    places = {index: place for place, index in enumerate(alone)}
    known = [places[index] for index in done if index in places]
    for batch in losses_by_batch(model, [examples[index] for index in alone], known):
        yield {alone[place]: loss for place, loss in batch.items()}
    answers = [tuple(example.input_ids[example.prompt_tokens :]) for example in examples]
    left = [(prompt, indices) for prompt, indices in shared.items() if not all(index in done for index in indices)]
    rows = [Row(prompt, tuple(answers[index] for index in indices)) for prompt, indices in left]
    for batched, found in Forward(model).scores(rows):
        yield {
            index: AnswerLoss(-one.total, len(one.nats), tuple(-value for value in one.nats))
            for place, scored in zip(batched, found, strict=True)
            for index, one in zip(left[place][1], scored, strict=True)
        }


@torch.no_grad()  # not inference_mode: what a sharded training gathers in it could not be trained on afterwards
def _losses(model: Any, members: Sequence[Example]) -> list[AnswerLoss]:
    device = next(model.parameters()).device
    width = max(len(example.input_ids) for example in members)
    first = min(example.prompt_tokens for example in members) - 1
    ids = torch.zeros(len(members), width, dtype=torch.long)
    mask = torch.zeros(len(members), width, dtype=torch.long)
    labels = torch.full((len(members), width), IGNORED, dtype=torch.long)
    for row, example in enumerate(members):
        length = len(example.input_ids)
        ids[row, :length] = torch.tensor(example.input_ids)
        mask[row, :length] = 1
        labels[row, :length] = torch.tensor(example.labels)
    logits = model(
        input_ids=ids.to(device), attention_mask=mask.to(device), logits_to_keep=width - first, use_cache=False
    ).logits[:, :-1]
    targets = labels[:, first + 1 :].to(device)
    # Row by row: a copy and the logarithms of all rows would be twice as large again as the logits.
    nats = [
        functional.cross_entropy(row.float(), wanted, ignore_index=IGNORED, reduction="none")
        for row, wanted in zip(logits, targets, strict=True)
    ]
    counted = (targets != IGNORED).sum(dim=1)
    return [
        AnswerLoss(float(row.double().sum()), int(n), tuple(row[wanted != IGNORED].tolist()))
        for row, wanted, n in zip(nats, targets, counted, strict=True)
    ]


def batch_count(examples: Sequence[Example]) -> int:
    """Forward passes that `answer_losses` makes for these examples."""
    return sum(1 for _ in _batches(examples))


def mean_loss(losses: Sequence[AnswerLoss]) -> float:
    """Nats per token over all answers: every token counts the same, whichever answer it is in."""
    tokens = sum(loss.tokens for loss in losses)
    return sum(loss.total for loss in losses) / tokens if tokens else float("nan")


def _batches(examples: Sequence[Example]) -> Iterator[list[int]]:
    """Indices in batches of like length; a batch's padded size stays within TOKEN_BUDGET unless it is one example."""
    batch: list[int] = []
    for index in sorted(range(len(examples)), key=lambda i: -len(examples[i].input_ids)):
        if batch and len(examples[batch[0]].input_ids) * (len(batch) + 1) > TOKEN_BUDGET:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
