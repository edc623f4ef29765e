"""Decoding by transformers on the models themselves: for other devices than a CPU, and kinds that no graph knows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers

from medqa_core.answering.decoder import Logits, Prompt
from medqa_core.models.variants import VARIANTS, ModelVariants, Variant
from medqa_core.runs.schema.evaluation import Precision

NAME = f"transformers {transformers.__version__}"


class TransformersDecoder:
    """See Decoder."""

    name = NAME
    precision: Precision = "float32"

    def __init__(self, variants: ModelVariants) -> None:
        self._variants = variants

    def start(self, prompts: Sequence[Prompt]) -> "TransformersBatch":
        """See Decoder."""
        return TransformersBatch(self._variants, prompts)


class TransformersBatch:
    """See Batch. A part for each of the two models that the rows ask."""

    def __init__(self, variants: ModelVariants, prompts: Sequence[Prompt]) -> None:
        asked = {variant: [i for i, p in enumerate(prompts) if p.variant == variant] for variant in VARIANTS}
        self._parts = [_Part(variants, variant, rows, prompts) for variant, rows in asked.items() if rows]
        self._rows = len(prompts)

    def read(self) -> bool:
        """See Batch."""
        unread = [part for part in self._parts if part.first is None]
        if unread:
            unread[0].read()
        return len(unread) > 1

    def logits(self) -> Logits:
        """See Batch."""
        return self._joined([part.first[:, None] for part in self._parts if part.first is not None])[:, 0]

    def step(self, tokens: Sequence[Sequence[int]]) -> Logits:
        """See Batch."""
        return self._joined([part.step([tokens[row] for row in part.rows]) for part in self._parts])

    def keep(self, rows: Sequence[int]) -> None:
        """See Batch."""
        for part in self._parts:
            part.keep([part.rows.index(row) for row in rows if row in part.rows])
            part.rows = [place for place, row in enumerate(rows) if row in part.rows]
        self._parts = [part for part in self._parts if part.rows]
        self._rows = len(rows)

    def _joined(self, found: Sequence[Logits]) -> Logits:
        whole = np.empty((self._rows, *found[0].shape[1:]), np.float32)
        for part, logits in zip(self._parts, found, strict=True):
            whole[part.rows] = logits
        return whole


class _Part:
    """The rows of a batch that one of the two models answers, padded on the left."""

    def __init__(self, variants: ModelVariants, variant: Variant, rows: list[int], prompts: Sequence[Prompt]) -> None:
        self.rows = rows
        self.first: Logits | None = None
        self._variants = variants
        self._variant: Variant = variant
        width = max(len(prompts[row].ids) for row in rows)
        self._ids = torch.zeros(len(rows), width, dtype=torch.long)
        self._mask = torch.zeros_like(self._ids)
        for place, row in enumerate(rows):
            ids = prompts[row].ids
            self._ids[place, width - len(ids) :] = torch.tensor(ids)
            self._mask[place, width - len(ids) :] = 1
        self._cache: Any = None

    def read(self) -> None:
        """Read the prompts."""
        positions = (self._mask.cumsum(1) - 1).clamp(min=0)
        self.first = self._forward(self._ids, positions, keep=1)[:, -1]

    def step(self, tokens: Sequence[Sequence[int]]) -> Logits:
        """(rows, n) tokens; (rows, n, vocabulary) logits."""
        ids = torch.tensor(tokens)
        positions = self._mask.sum(1, keepdim=True) + torch.arange(ids.shape[1])
        self._mask = torch.cat([self._mask, torch.ones_like(ids)], 1)
        return self._forward(ids, positions, keep=ids.shape[1])

    def keep(self, places: list[int]) -> None:
        """Go on with these rows of the part, in this order."""
        if places:
            self._cache.batch_select_indices(torch.tensor(places, device=self._variants.base.device))
        self._mask = self._mask[places]

    @torch.inference_mode()
    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, keep: int) -> Logits:
        device = self._variants.base.device
        with self._variants.using(self._variant) as model:
            out = model(
                input_ids=ids.to(device),
                attention_mask=self._mask.to(device),
                position_ids=positions.to(device),
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=keep,
            )
        self._cache = out.past_key_values
        found: Logits = out.logits.float().cpu().numpy()
        return found
