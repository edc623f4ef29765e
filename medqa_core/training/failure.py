"""What a training failed with: its cause, and a sentence or two about it and what to do."""

import torch

from medqa_core.foundation.disk import trouble
from medqa_core.foundation.errors import DataUnavailable, InputError, MedQAError, first_line
from medqa_core.runs.schema.status import Cause
from medqa_core.training.recorder import LossNotFinite


def describe_failure(error: BaseException) -> tuple[Cause, str]:
    """The cause and one or two sentences about it."""
    text = first_line(error)
    if isinstance(error, LossNotFinite):
        return "nan", str(error)
    if isinstance(error, DataUnavailable):
        return "data", str(error)
    if isinstance(error, InputError):
        return "input", str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text:
        return "memory", "Out of memory. Lower max_tokens_per_forward or max_tokens, or train with method lora."
    if trouble(error) == "full" or "No space left" in text:  # some libraries say so in an exception of their own
        return "disk", "The disk is full. Free some space, then resume the run: what was saved before is whole."
    if trouble(error) == "broken":
        return "disk", (
            f"The disk reported an error ({str(getattr(error, 'strerror', None) or text).rstrip('.')}), so that nobody "
            "knows what it kept of the last write. Check the disk, then resume the run from its last whole checkpoint."
        )
    if isinstance(error, MedQAError):
        return "fault", str(error)
    return "fault", f"{type(error).__name__}: {text}"
