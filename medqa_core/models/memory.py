"""Whether two whole models fit into memory, asked before either is loaded: what is no adapter shares no weights."""

from collections.abc import Mapping
from math import prod
from pathlib import Path

import psutil
import torch
from safetensors import SafetensorError, safe_open

from medqa_core.foundation.errors import ModelError, first_line
from medqa_core.foundation.format import bytes_size
from medqa_core.foundation.progress import Progress, silent
from medqa_core.models.folders import weight_files

FLOAT32 = 4
"""Bytes a weight takes, whatever its file stores: a bfloat16 file doubles when it is loaded."""


def weight_bytes(folder: Path, label: str) -> int:
    """Bytes of a model's weights in float32; reads the headers of its files only.

    Raises:
        ModelError: a file is missing or damaged.
    """
    total = 0
    for path in weight_files(folder, label):
        try:
            with safe_open(path, framework="pt") as file:
                total += sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{label}: its weights are damaged: {first_line(error)}.") from error
    return FLOAT32 * total


def free_memory(device: str) -> int:
    """Bytes that are free where a device computes: on a CUDA device its own memory, elsewhere the machine's."""
    if device.startswith("cuda"):
        # PyTorch keeps the blocks of models that are gone for the next one: to the driver they are taken.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    return int(psutil.virtual_memory().available)


def require_memory(run_id: str, folders: Mapping[str, Path], *, device: str, progress: Progress = silent) -> None:
    """Say what the two models of a run need together and what is free where they are to compute.

    Args:
        run_id: whose models they are.
        folders: where each of them lies, by its name.
        device: where they are to compute; on a CPU the copies that OpenVINO decodes from come on top.
        progress: told both figures where it suffices.

    Raises:
        ModelError: it is not there, or a file is missing or damaged.
    """
    needed = sum(weight_bytes(folder, label) for label, folder in folders.items()) * (2 if device == "cpu" else 1)
    free = free_memory(device)
    if needed > free:
        raise ModelError(
            f"{run_id} holds a whole fine-tuned model: two sets of weights need about {bytes_size(needed)} of memory, "
            f"and {bytes_size(free)} are free; end other programs, or ask a run with an adapter, which needs one set."
        )
    progress(f"two sets of weights need about {bytes_size(needed)}; {bytes_size(free)} are free")
