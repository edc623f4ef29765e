"""Log-likelihoods of several continuations of one context, from one forward pass.

A row holds a context and, behind it, all its continuations. By mask and positions each continuation sees the context
and itself but not the others, so that the row reads the context once where a plain loop reads it once per continuation.
What all contexts of a task begin with (its header and examples) is read once and its keys and values are reused.
MMLU's choices are scored so, and references behind a long prompt that several of them share.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

Tokens = tuple[int, ...]

TOKEN_BUDGET = 1024
"""New tokens a batch, padding included: it bounds the memory of the logits; more where a single row has them."""
CACHE_BUDGET = 8192
"""Tokens a batch whose keys and values are held, the shared beginning of every row included."""
TOLERANCE = 1e-3
"""By which a packed row's results may differ from a plain pass, in nats: far above rounding, far below a mistake."""


@dataclass(frozen=True)
class Row:
    """A context and what may follow it; none of them empty."""

    context: Tokens
    continuations: tuple[Tokens, ...]

    @property
    def behind(self) -> int:
        """Tokens behind the context: a continuation's last token is predicted and never read."""
        return sum(len(tokens) - 1 for tokens in self.continuations)


@dataclass(frozen=True)
class Scored:
    """A continuation's log-likelihood."""

    total: float
    """Nats; NaN where it is no finite number."""
    greedy: bool
    """Whether each token is the likeliest one."""
    nats: tuple[float, ...]
    """Of each token."""


class Forward:
    """Scores rows with one model, packed where that gives what a plain pass gives.

    Masks of one's own are no contract that each architecture keeps (some derive positions from the mask, or see a
    window only), so the first row given is scored both ways, and packing is given up if the results differ.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._packed: bool | None = None

    @torch.no_grad()
    def scores(self, rows: Sequence[Row], shared: int = 0) -> Iterator[tuple[list[int], list[list[Scored]]]]:
        """Each batch's indices, and for each of its rows the continuations' answers.

        Args:
            rows: what to score.
            shared: how many tokens all contexts have in common at their beginning; fewer than any context has.
        """
        if not rows:
            return
        order = sorted(range(len(rows)), key=lambda index: -(len(rows[index].context) + rows[index].behind))
        if self._packed is None:
            self._packed = self._agrees(rows[order[0]])
        if not self._packed:
            yield from (([index], [self._plain(rows[index])]) for index in order)
            return
        prefix = self._prefix(rows[0].context[:shared]) if shared else None
        for batch in batches([len(rows[i].context) - shared for i in order], [rows[i].behind for i in order], shared):
            indices = [order[place] for place in batch]
            yield indices, self._scored([rows[index] for index in indices], shared, prefix)

    def _agrees(self, row: Row) -> bool:
        half = len(row.context) // 2
        try:
            [packed] = self._scored([row], half, self._prefix(row.context[:half]) if half else None)
        except (TypeError, ValueError, RuntimeError, AttributeError, IndexError):  # another kind of cache or mask
            return False
        return all(_close(a.total, b.total) for a, b in zip(packed, self._plain(row), strict=True))

    def _prefix(self, tokens: Tokens) -> Any:
        ids = torch.tensor([tokens], device=self._device)
        return self._model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values

    def _scored(self, rows: Sequence[Row], shared: int, prefix: Any) -> list[list[Scored]]:
        """One forward pass. Contexts end in the same column, so that one slice of the logits serves all rows."""
        width = max(len(row.context) for row in rows) - shared
        total = width + max(row.behind for row in rows)
        ids = torch.zeros(len(rows), total, dtype=torch.long)
        positions = torch.zeros_like(ids)
        # Padding sees itself, or its softmax over nothing would be NaN.
        seen = torch.eye(total, dtype=torch.bool).repeat(len(rows), 1, 1)
        wanted: list[tuple[int, list[int], Tokens]] = []
        for number, row in enumerate(rows):
            own = len(row.context) - shared
            start, end = width - own, width
            ids[number, start:end] = torch.tensor(row.context[shared:])
            positions[number, start:end] = torch.arange(shared, shared + own)
            seen[number, start:end, start:end] = torch.ones(own, own, dtype=torch.bool).tril()
            for tokens in row.continuations:
                read = len(tokens) - 1
                begin, end = end, end + read
                ids[number, begin:end] = torch.tensor(tokens[:-1], dtype=torch.long)
                positions[number, begin:end] = torch.arange(len(row.context), len(row.context) + read)
                seen[number, begin:end, start:width] = True
                seen[number, begin:end, begin:end] = torch.ones(read, read, dtype=torch.bool).tril()
                # In the slice, column 0 is the context's last token.
                wanted.append((number, [0, *range(begin - width + 1, end - width + 1)], tokens))
        logits = self._call(ids, positions, seen, shared, prefix, total - width + 1)
        answers = iter(_read(logits, wanted))
        return [[next(answers) for _ in row.continuations] for row in rows]

    def _call(
        self, ids: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor, shared: int, prefix: Any, keep: int
    ) -> torch.Tensor:
        rows, total = ids.shape
        dtype = self._model.dtype
        mask = torch.full((rows, 1, total, shared + total), torch.finfo(dtype).min, dtype=dtype)
        mask[..., :shared] = 0
        mask[..., shared:].masked_fill_(seen[:, None], 0)
        cache = copy.deepcopy(prefix)  # a pass adds its own keys and values to it
        if cache is not None:
            cache.batch_repeat_interleave(rows)
        logits: torch.Tensor = self._model(
            input_ids=ids.to(self._device),
            attention_mask=mask.to(self._device),
            position_ids=positions.to(self._device),
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=keep,
        ).logits
        return logits.float()

    def _plain(self, row: Row) -> list[Scored]:
        """Each continuation in a pass of its own; one pass for all that are one token long."""
        answers: list[Scored] = []
        seen: dict[Tokens, torch.Tensor] = {}
        for tokens in row.continuations:
            text = row.context + tokens[:-1]
            if text not in seen:
                ids = torch.tensor([text], device=self._device)
                seen[text] = self._model(input_ids=ids, use_cache=False).logits[:, -len(tokens) :].float()
            answers += _read(seen[text], [(0, list(range(len(tokens))), tokens)])
        return answers

    @property
    def _device(self) -> Any:
        return next(self._model.parameters()).device


def batches(contexts: Sequence[int], behind: Sequence[int], shared: int) -> Iterator[range]:
    """Consecutive places whose padded size stays within both budgets, unless it is a single row."""
    start = 0
    while start < len(contexts):
        widest, longest, end = contexts[start], behind[start], start + 1
        while end < len(contexts):
            widest, longest = max(widest, contexts[end]), max(longest, behind[end])
            rows, width = end + 1 - start, widest + longest
            if rows * width > TOKEN_BUDGET or rows * (shared + width) > CACHE_BUDGET:
                break
            end += 1
        yield range(start, end)
        start = end


def _read(logits: torch.Tensor, wanted: Sequence[tuple[int, list[int], Tokens]]) -> list[Scored]:
    """Log-likelihood and greediness of tokens that follow the given columns of a row."""
    normalizer, greedy = logits.logsumexp(-1), logits.argmax(-1)
    answers = []
    for row, columns, tokens in wanted:
        target = torch.tensor(tokens, device=logits.device)
        nats = logits[row, columns, target] - normalizer[row, columns]
        total = float(nats.double().sum())
        matches = bool((greedy[row, columns] == target).all())
        answers.append(Scored(total if math.isfinite(total) else math.nan, matches, tuple(nats.tolist())))
    return answers


def _close(ours: float, theirs: float) -> bool:
    return math.isclose(ours, theirs, rel_tol=1e-4, abs_tol=TOLERANCE) or (math.isnan(ours) and math.isnan(theirs))
