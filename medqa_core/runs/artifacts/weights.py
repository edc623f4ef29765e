"""`adapter/` and `model/`: where the weights of a fine-tuned model are."""

from pathlib import Path

from medqa_core.foundation.errors import OutsideStore
from medqa_core.foundation.paths import resolve_inside

WEIGHTS = {"adapter": "adapter_model.safetensors", "model": "model.safetensors"}
"""The folders that hold what was trained, and the file in them that cannot be missing."""
CONFIGS = {"adapter": "adapter_config.json", "model": "config.json"}
"""The file beside the weights without which they mean nothing: an adapter's scale stands there and nowhere else."""


def adapter_folder(run_folder: Path) -> Path | None:
    """The folder of the adapter, if the run has one."""
    return _folder(run_folder, "adapter")


def model_folder(run_folder: Path) -> Path | None:
    """The folder of the whole fine-tuned model, if the run has one."""
    return _folder(run_folder, "model")


def weights_file(run_folder: Path) -> Path | None:
    """The file of the fine-tuned weights: the adapter's, else the whole model's; None where the run has neither."""
    for name, file in WEIGHTS.items():
        folder = _folder(run_folder, name)
        if folder is not None:
            return folder / file
    return None


def config_file(weights: Path) -> Path:
    """The configuration that belongs to a file of fine-tuned weights."""
    return weights.with_name(CONFIGS[weights.parent.name])


def _folder(run_folder: Path, name: str) -> Path | None:
    try:
        path = resolve_inside(run_folder, name)
        return path if resolve_inside(run_folder, name, WEIGHTS[name]).is_file() else None
    except (OSError, OutsideStore):
        return None
