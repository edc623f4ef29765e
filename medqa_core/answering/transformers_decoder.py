"""Decoding by transformers on the models themselves: for other devices than a CPU, and kinds that no graph knows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers

from medqa_core.answering.decoder import Logits, Prompt
from medqa_core.answering.parts import PartedBatch
from medqa_core.models.gate import takes
from medqa_core.models.variants import VARIANTS, ModelVariants, Variant
from medqa_core.runs.schema.evaluation import Precision

NAME = f"transformers {transformers.__version__}"


class TransformersDecoder:
    """See Decoder."""

    name = NAME
    precision: Precision = "float32"

    def __init__(self, variants: ModelVariants) -> None:
        self._variants = variants

    def start(self, prompts: Sequence[Prompt]) -> PartedBatch:
        """See Decoder."""
        asked = {variant: [i for i, p in enumerate(prompts) if p.variant == variant] for variant in VARIANTS}
        parts = [_Part(self._variants, variant, rows, prompts) for variant, rows in asked.items() if rows]
        return PartedBatch(parts, len(prompts))


class _Part:
    """See Part: the rows that one of the two models answers, padded on the left."""

    def __init__(self, variants: ModelVariants, variant: Variant, rows: list[int], prompts: Sequence[Prompt]) -> None:
        self.rows = rows
        self.first: Logits = np.empty((0, 0), np.float32)
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
        self._is_read = False
        # Kinds with a state of their own, such as Mamba, are given the whole text anew at each step.
        self._cached = takes(variants.adapted, "past_key_values")
        self._positions = takes(variants.adapted, "position_ids")

    @property
    def unread(self) -> bool:
        """See Part."""
        return not self._is_read

    def read(self) -> None:
        """Read the prompts."""
        positions = (self._mask.cumsum(1) - 1).clamp(min=0)
        self.first = self._forward(self._ids, positions, keep=1)[:, -1]

    def step(self, tokens: Sequence[Sequence[int]]) -> Logits:
        """See Part."""
        ids = torch.tensor(tokens)
        if not self._cached:
            self._ids = torch.cat([self._ids, ids], 1)
            self._mask = torch.cat([self._mask, torch.ones_like(ids)], 1)
            return self._forward(self._ids, None, keep=ids.shape[1])
        positions = self._mask.sum(1, keepdim=True) + torch.arange(ids.shape[1])
        self._mask = torch.cat([self._mask, torch.ones_like(ids)], 1)
        return self._forward(ids, positions, keep=ids.shape[1])

    def keep(self, places: list[int]) -> None:
        """See Part."""
        if self._cached:
            self._cache.batch_select_indices(torch.tensor(places, device=self._variants.base.device))
        self._ids, self._mask = self._ids[places], self._mask[places]

    @torch.inference_mode()
    def _forward(self, ids: torch.Tensor, positions: torch.Tensor | None, keep: int) -> Logits:
        device = self._variants.base.device
        placed = {} if positions is None or not self._positions else {"position_ids": positions.to(device)}
        cached = {"past_key_values": self._cache} if self._cached else {}
        with self._variants.using(self._variant) as model:
            out = model(
                input_ids=ids.to(device),
                attention_mask=self._mask.to(device),
                use_cache=self._cached,
                logits_to_keep=keep,
                **placed,
                **cached,
            )
        self._cache = out.past_key_values if self._cached else None
        self._is_read = True
        found: Logits = out.logits.float().cpu().numpy()
        return found
