"""What ended a training, in words that a person can act on."""

import pytest
import torch

from medqa_core.foundation.errors import DataUnavailable, InputError, MedQAError
from medqa_core.training.failure import describe_failure
from medqa_core.training.recorder import LossNotFinite


@pytest.mark.parametrize(
    ("error", "cause", "words"),
    [
        (OSError(28, "No space left on device"), "disk", "The disk is full. Free some space, then resume the run"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "disk", "The disk is full."),
        (OSError(5, "Input/output error"), "disk", "The disk reported an error (Input/output error), so that nobody"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "memory", "Out of memory. Lower max_"),
        (
            torch.OutOfMemoryError("CUDA out of memory."),
            "memory",
            "Out of memory. Lower max_tokens_per_forward or max_tokens",
        ),
        (MemoryError(), "memory", "Out of memory."),
        (LossNotFinite("One line."), "nan", "One line."),
        (DataUnavailable("One line."), "data", "One line."),
        (InputError("One line."), "input", "One line."),
        (MedQAError("One line."), "fault", "One line."),
        (ValueError("first line\nsecond line"), "fault", "ValueError: first line"),
        (ZeroDivisionError(), "fault", "ZeroDivisionError: ZeroDivisionError"),
    ],
)
def test_cause_and_words(error: Exception, cause: str, words: str) -> None:
    found = describe_failure(error)
    assert found[0] == cause
    assert found[1].startswith(words)
    assert "\n" not in found[1]
