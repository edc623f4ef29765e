"""Weights on their way into the store: shards become one file, every number is looked at, nothing else comes along."""

import shutil
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from medqa_core.foundation.errors import InputError, shorten
from medqa_core.foundation.files import LFS_POINTER, dumps, is_lfs_pointer, loads, write_json
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.models import folders
from medqa_core.models.incoming.found import IncomingWeights

PIECE = 2**24
"""Bytes that are copied at a time."""
MEGABYTE = 10**6
Shapes = dict[str, tuple[int, ...]]


def shapes_of(files: Sequence[Path], label: str) -> Shapes:
    """The shape of every tensor by its name.

    Raises:
        InputError: a file is damaged or a pointer of Git LFS, or two of them hold the same tensor.
    """
    found: Shapes = {}
    for path in files:
        try:
            if is_lfs_pointer(path):
                raise InputError(f"{label}: {path.name} {LFS_POINTER}.")
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 (it is no mapping)
                    if name in found:
                        raise InputError(f"{label}: {shorten(name)} is in two of its files.")
                    found[name] = tuple(file.get_slice(name).get_shape())
        except (SafetensorError, OSError) as error:
            raise InputError(f"{label}: its weights are damaged ({shorten(str(error), 120)}).") from error
    return found


class _Megabytes:
    """Tells how far a stage of `total` bytes is."""

    def __init__(self, stage: str, total: int, progress: StageProgress) -> None:
        self._stage, self._total, self._progress, self._done = f"{stage}, MB", total, progress, 0

    def add(self, size: int) -> None:
        """So many bytes more are done."""
        self._done += size
        self._progress(self._stage, self._done // MEGABYTE, self._total // MEGABYTE)


def check_numbers(files: Sequence[Path], label: str, progress: StageProgress = silent) -> None:
    """Refuse weights that are no numbers.

    Raises:
        InputError: a tensor holds NaN or an infinity; it is named.
    """
    seen = _Megabytes("looking for NaN in the weights", sum(path.stat().st_size for path in files), progress)
    for path in files:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (it is no mapping)
                tensor = file.get_tensor(name)
                seen.add(tensor.nbytes)
                if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                    count = int((~torch.isfinite(tensor)).sum())
                    raise InputError(
                        f"{label}: {shorten(name)} holds {count:,} values that are NaN or infinite: its training broke "
                        "down. Take an earlier checkpoint."
                    )


def copy_weights(files: Sequence[Path], target: Path, progress: StageProgress = silent) -> None:
    """Write `files` as the one file `target`; a single one byte for byte, so that its checksum stays.

    Raises:
        OSError: the disk is full, or a file cannot be read.
    """
    head, ranges = (b"", [(files[0], 0, files[0].stat().st_size)]) if len(files) == 1 else _joined(files)
    copied = _Megabytes("copying the weights", sum(size for _, _, size in ranges), progress)
    with open(target, "wb") as out:
        out.write(head)
        for path, start, left in ranges:
            with open(path, "rb") as file:
                file.seek(start)
                while left and (piece := file.read(min(left, PIECE))):
                    out.write(piece)
                    left -= len(piece)
                    copied.add(len(piece))


def _joined(files: Sequence[Path]) -> tuple[bytes, list[tuple[Path, int, int]]]:
    """How the one file of several begins, and which bytes follow: of which file, from where, how many."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    ranges: list[tuple[Path, int, int]] = []
    size = 0
    for path in files:
        start, tensors = _header(path)
        for name, about in sorted(tensors.items(), key=lambda one: one[1]["data_offsets"]):
            low, high = about["data_offsets"]
            header[name] = {**about, "data_offsets": [size, size + high - low]}
            size += high - low
            ranges.append((path, start + low, high - low))
    text = dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the format wants the data aligned
    return struct.pack("<Q", len(text)) + text, ranges


def copy_beside(source: IncomingWeights, names: Sequence[str], target: Path) -> list[str]:
    """Copy those files of `names` that are there; which they are.

    Raises:
        InputError: one is a link out of the source.
        OSError: the disk is full.
    """
    copied = []
    for name in names:
        path = source.file(name)
        if path is not None:
            shutil.copyfile(path, target / name)
            copied.append(name)
    return copied


def write_model_config(source: IncomingWeights, target: Path) -> None:
    """The model's configuration, without the folder that it was loaded from."""
    config = source.json(folders.CONFIG)
    write_json(target / folders.CONFIG, {key: value for key, value in config.items() if key != "_name_or_path"})


def _header(path: Path) -> tuple[int, dict[str, Any]]:
    """Where a file's data begin, and what its header says of each tensor; `shapes_of` has checked the file."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        tensors = loads(file.read(length).decode())
    tensors.pop("__metadata__", None)
    return 8 + length, tensors
