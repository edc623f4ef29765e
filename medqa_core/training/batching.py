"""The forward batches of an optimizer step: its examples packed so that almost no computing goes into padding.

On a CPU the examples stand one behind the other in a single row (`packed`): no padding at all, and an attention that
never crosses from one example to the next (see `attention`). On an accelerator they stand in rows of like length,
padded on the right (`padded`), which its causal attention kernels like best. Either way a batch holds at most
`max_tokens_per_forward` tokens, and the sum over a step's batches is the loss of the step's padded batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from medqa_core.models.prompt import IGNORED, Example
from medqa_core.runs.schema.config import ACCELERATOR_TOKENS_PER_FORWARD, CPU_TOKENS_PER_FORWARD, TrainConfig

Layout = Literal["packed", "padded"]


@dataclass(frozen=True)
class ForwardBatch:
    """What goes through one forward pass. All tensors are on the CPU."""

    indices: tuple[int, ...]
    """Its examples, as indices into the training set."""
    lengths: tuple[int, ...]
    """Their tokens."""
    input_ids: torch.Tensor
    """(rows, width), int64."""
    position_ids: torch.Tensor
    """(rows, width), int64; each example starts at 0."""
    boundaries: tuple[int, ...] | None
    """Where the examples of a packed row start, and its end; None in the padded layout."""
    logits_to_keep: torch.Tensor | int
    """The positions whose next token is an answer's: indices into a packed row, or how many end the padded rows."""
    targets: torch.Tensor
    """The token that follows each position kept, flattened; IGNORED where none counts."""

    def placement(self, device: str) -> dict[str, Any]:
        """What a model's forward is told of a packed row, by argument; nothing of padded rows, which are plain text."""
        if self.boundaries is None:
            return {}
        return {"position_ids": self.position_ids.to(device), "boundaries": self.boundaries}


def layout_for(device: str, *, packs: bool = True) -> Layout:
    """The layout that suits a device, and a model which may read packed rows (`attention.reads_packed_rows`) or not."""
    return "packed" if device == "cpu" and packs else "padded"


def tokens_per_forward(config: TrainConfig, device: str) -> int:
    """Tokens of a forward pass at most, an example that is longer by itself apart."""
    usual = CPU_TOKENS_PER_FORWARD if device == "cpu" else ACCELERATOR_TOKENS_PER_FORWARD
    return config.max_tokens_per_forward or usual


def pack_batches(
    examples: Sequence[Example], indices: Sequence[int], max_tokens: int, layout: Layout
) -> list[ForwardBatch]:
    """Forward batches for some of the examples, the longest first.

    Args:
        examples: the training set.
        indices: which of them.
        max_tokens: of one batch, padding included; a longer example gets a batch of its own.
        layout: `packed` or `padded`.
    """
    lengths = {index: len(examples[index].input_ids) for index in indices}
    order = sorted(indices, key=lambda index: (-lengths[index], index))
    groups: list[list[int]] = []
    for index in order:
        # Packed: the first batch with room. Padded: the last one, whose members are of like length.
        open_groups = groups if layout == "packed" else groups[-1:]
        for group in open_groups:
            size = sum(lengths[i] for i in group) + lengths[index]
            padded = lengths[group[0]] * (len(group) + 1)
            if (size if layout == "packed" else padded) <= max_tokens:
                group.append(index)
                break
        else:
            groups.append([index])
    make = _packed if layout == "packed" else _padded
    return [make(examples, group) for group in groups]


def _packed(examples: Sequence[Example], group: Sequence[int]) -> ForwardBatch:
    ids: list[int] = []
    positions: list[int] = []
    keep: list[int] = []
    targets: list[int] = []
    boundaries = [0]
    for index in group:
        example = examples[index]
        start, length = boundaries[-1], len(example.input_ids)
        ids += example.input_ids
        positions += range(length)
        keep += range(start + example.prompt_tokens - 1, start + length - 1)
        targets += example.input_ids[example.prompt_tokens :]
        boundaries.append(start + length)
    return ForwardBatch(
        tuple(group),
        tuple(len(examples[index].input_ids) for index in group),
        torch.tensor([ids]),
        torch.tensor([positions]),
        tuple(boundaries),
        torch.tensor(keep, dtype=torch.long),
        torch.tensor(targets, dtype=torch.long),
    )


def _padded(examples: Sequence[Example], group: Sequence[int]) -> ForwardBatch:
    """Padding stands on the right, where causal attention never looks from; token 0 fills it, whatever it means."""
    members = [examples[index] for index in group]
    width = max(len(example.input_ids) for example in members)
    keep = width - min(example.prompt_tokens for example in members) + 1
    ids = torch.zeros(len(members), width, dtype=torch.long)
    labels = torch.full((len(members), width + 1), IGNORED, dtype=torch.long)
    for row, example in enumerate(members):
        length = len(example.input_ids)
        ids[row, :length] = torch.tensor(example.input_ids)
        labels[row, :length] = torch.tensor(example.labels)
    return ForwardBatch(
        tuple(group),
        tuple(len(example.input_ids) for example in members),
        ids,
        torch.arange(width).expand(len(members), width),
        None,
        keep,
        labels[:, 1:][:, -keep:].flatten(),
    )
