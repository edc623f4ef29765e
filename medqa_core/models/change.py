"""Whether a training changed anything: its weights, as they were saved, against the base's."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from medqa_core.foundation.files import read_json
from medqa_core.models.folders import weight_files
from medqa_core.runs.artifacts.weights import config_file
from medqa_core.runs.run import Run


def changes_base(run: Run, base: Path) -> bool | None:
    """Whether the weights of `run` differ from those of the base in the folder `base`.

    An adapter adds the product of two matrices: nothing where its B is zero, whatever its A, or where it is scaled with
    zero. Of a whole model one tensor that differs is enough. None: the run has no weights, or none of the base's names.

    Raises:
        ModelError, OSError: files of the base cannot be read.
        UnreadableFile: the adapter's configuration cannot be read.
    """
    weights = run.weights_file()
    if weights is None:
        return None
    if weights.parent.name == "adapter":
        alpha = read_json(config_file(weights)).get("lora_alpha")
        return alpha != 0 and any(bool(tensor.any()) for name, tensor in _tensors([weights]) if ".lora_B." in name)
    with ExitStack() as stack:
        files = [stack.enter_context(_opened(path)) for path in weight_files(base, base.name)]
        where = {name: file for file in files for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        known = 0
        for name, tensor in _tensors(weight_files(weights.parent, run.id)):
            if name in where:
                known += 1
                if not torch.equal(tensor.float(), where[name].get_tensor(name).float()):
                    return True
    return False if known else None


def _tensors(paths: list[Path]) -> Iterator[tuple[str, torch.Tensor]]:
    for path in paths:
        with _opened(path) as file:
            for name in file.keys():  # noqa: SIM118 (it is no mapping)
                yield name, file.get_tensor(name)


def _opened(path: Path) -> Any:
    return safe_open(path, framework="pt")
