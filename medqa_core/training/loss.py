"""The loss of a forward batch: cross entropy of the answers' tokens, with a backward pass that wastes no memory."""

from typing import Any

import torch

from medqa_core.models.prompt import IGNORED
from medqa_core.training.batching import ForwardBatch

ROWS = 32
"""Rows of logits worked on at a time: with a vocabulary of 50,000 they stay in a core's cache."""


class _CrossEntropy(torch.autograd.Function):
    """Summed cross entropy times a factor. The logits' memory becomes their gradient.

    PyTorch's own keeps the logits, their log-softmax and their gradient, each as large as rows × vocabulary; for a
    small model with a large vocabulary reading and writing these takes a sixth of the step.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, targets: torch.Tensor, factor: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        # In place; autograd notices (the version counter is shared) if anybody else needs the logits.
        work = logits.detach()
        counted = targets != IGNORED
        total = torch.zeros((), dtype=torch.float32 if logits.device.type == "mps" else torch.float64)
        total = total.to(logits.device)
        for part, wanted, valid in zip(*(torch.split(one, ROWS) for one in (work, targets, counted)), strict=True):
            rows = part.float()  # itself, where it is float32
            index = wanted.clamp(min=0).unsqueeze(1)
            rows.sub_(rows.amax(1, keepdim=True))
            chosen = rows.gather(1, index)
            sums = rows.exp_().sum(1, keepdim=True)
            total += ((sums.log() - chosen).squeeze(1) * valid).sum()
            weight = factor * valid.unsqueeze(1)
            rows.mul_(weight / sums)
            rows.scatter_add_(1, index, -weight.to(rows.dtype))
            if part is not rows:
                part.copy_(rows)
        ctx.save_for_backward(work)
        ctx.mark_non_differentiable(total)
        return (total * factor).float(), total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (work,) = ctx.saved_tensors
        if float(gradients[0]) != 1.0:
            work = work * gradients[0]
        return work, None, None


def answer_loss(model: Any, batch: ForwardBatch, factor: float, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch's loss, to call `backward` on, and its sum in nats.

    Args:
        model: a causal language model whose forward takes `logits_to_keep`.
        batch: what goes through the model.
        factor: what the sum is multiplied with: 1 over the answer tokens of the whole step.
        device: where the model is.

    Returns:
        Factor × sum (float32, with a gradient) and the sum (without one), both scalars.
    """
    keep = batch.logits_to_keep.to(device) if isinstance(batch.logits_to_keep, torch.Tensor) else batch.logits_to_keep
    logits = model(
        input_ids=batch.input_ids.to(device),
        logits_to_keep=keep,
        use_cache=False,
        **batch.placement(device),
    ).logits
    loss, nats = _CrossEntropy.apply(  # type: ignore[no-untyped-call]
        logits.view(-1, logits.shape[-1]), batch.targets.to(device), factor
    )
    return loss, nats
