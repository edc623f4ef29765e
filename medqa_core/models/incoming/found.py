"""Which weights a folder holds, as people have them: at its top or in its newest checkpoint; whole, or an adapter."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medqa_core.foundation.errors import InputError, ModelError, UnreadableFile, shorten
from medqa_core.foundation.files import read_json
from medqa_core.models import adapter, folders
from medqa_core.runs.importers.trainer import checkpoints

TO_SAFETENSORS = (
    "python -c \"import torch, safetensors.torch as s; w = torch.load({pickle!r}, map_location='cpu', "
    "weights_only=True); s.save_file({{k: v.clone().contiguous() for k, v in w.items()}}, {target!r}, {{'format': "
    "'pt'}})\""
)
"""What turns one pickle into safetensors; run where the file is trusted, not here."""
SHARDS_TO_SAFETENSORS = (
    "python -c \"from transformers import AutoModelForCausalLM as M; M.from_pretrained('.', use_safetensors=False)"
    ".save_pretrained('safetensors')\""
)


@dataclass(frozen=True)
class IncomingWeights:
    """Where the weights are that are to come in."""

    folder: Path
    kind: Literal["adapter", "model"]
    label: str
    """What messages call the source."""
    inside: str | None = None
    """The checkpoint's name where they are not at the top of the source."""

    def file(self, name: str) -> Path | None:
        """A plain file of the folder, or None where there is none of that name.

        Raises:
            InputError: it is a link that leads out of the folder, or no plain file.
        """
        path = self.folder / name
        if not path.exists() and not path.is_symlink():
            return None
        try:
            real, root = path.resolve(strict=True), self.folder.resolve()
        except (OSError, RuntimeError) as error:
            raise InputError(f"{self.label}: {name} is a link that leads nowhere.") from error
        # A model hub's cache is made of links, all of them into one folder beside the snapshots.
        of_hub = root.parent.name == "snapshots" and real.parent == root.parent.parent / "blobs"
        if not real.is_relative_to(root) and not of_hub:
            raise InputError(f"{self.label}: {name} is a link out of the folder; put the file itself there.")
        if not real.is_file():
            raise InputError(f"{self.label}: {name} is no plain file.")
        return real

    def json(self, name: str) -> dict[str, Any]:
        """A JSON file of the folder as an object; empty where there is none.

        Raises:
            InputError: as `file`, or it cannot be read.
        """
        path = self.file(name)
        if path is None:
            return {}
        try:
            value = read_json(path)
        except UnreadableFile as error:
            raise InputError(f"{self.label}: {str(error).replace(path.name, name)}") from error
        if not isinstance(value, dict):
            raise InputError(f"{self.label}: {name} does not hold a JSON object.")
        return value

    def weight_files(self) -> list[Path]:
        """The safetensors files that make up the weights, in the order of their names.

        Raises:
            InputError: one is missing, lies elsewhere, or the index is unusable.
        """
        if self.kind == "adapter":
            names = [adapter.WEIGHTS]
        else:
            try:
                names = [path.name for path in folders.weight_files(self.folder, self.label)]
            except ModelError as error:
                raise InputError(str(error)) from error
        found = [path for name in names if (path := self.file(name)) is not None]
        if len(found) < len(names):
            raise InputError(f"{self.label}: {names[0]} is missing.")
        return found


def find_weights(source: Path, label: str) -> IncomingWeights:
    """The weights in a folder: those at its top, else those of its newest checkpoint that has any.

    Raises:
        InputError: there are none, or pickles only, with the command that converts them.
    """
    if not source.is_dir():
        raise InputError(f"{label} is no folder with a model's files.")
    for folder in (source, *_checkpoints(source)):
        inside = None if folder == source else folder.name
        if (folder / adapter.WEIGHTS).is_file():
            return IncomingWeights(folder, "adapter", label, inside)
        if (folder / folders.WEIGHTS).is_file() or (folder / folders.INDEX).is_file():
            return IncomingWeights(folder, "model", label, inside)
        _refuse_pickles(folder, label)
    raise InputError(
        f"{label} holds no weights: looked for {folders.WEIGHTS}, {folders.INDEX} and {adapter.WEIGHTS}, there and in "
        "its checkpoint-* folders."
    )


def holds_weights(source: Path) -> bool:
    """Whether a folder holds weights that could come in, or such pickles as have to be converted first."""
    names = (adapter.WEIGHTS, folders.WEIGHTS, folders.INDEX, adapter.PICKLED, "pytorch_model.bin")
    return source.is_dir() and any(
        (folder / name).is_file() for folder in (source, *_checkpoints(source)) for name in names
    )


def _checkpoints(source: Path) -> list[Path]:
    """The checkpoint folders, newest first; none that is a link."""
    return [path for path in checkpoints(source) if path.is_dir() and not path.is_symlink()]


def _refuse_pickles(folder: Path, label: str) -> None:
    pickles = sorted(path.name for pattern in folders.PICKLES for path in folder.glob(pattern))
    weights = [name for name in pickles if name == adapter.PICKLED or name.startswith(("pytorch_model", "model"))]
    if not weights:
        return
    first = weights[0]
    target = adapter.WEIGHTS if first == adapter.PICKLED else folders.WEIGHTS
    command = (
        TO_SAFETENSORS.format(pickle=first, target=target)
        if first in (adapter.PICKLED, "pytorch_model.bin")
        else SHARDS_TO_SAFETENSORS
    )
    raise InputError(
        f"{label} holds its weights as a pickle ({shorten(first, 60)}), which can run code when opened and is not "
        f"opened here. Where you trust it, run in its folder: {command}"
    )
