"""A run as one ZIP: the same folder gives the same bytes, and nothing from outside the folder comes along."""

import io
import os
import shutil
import uuid
import zipfile
from pathlib import Path
from typing import IO

from medqa_core.foundation.errors import OutsideStore
from medqa_core.foundation.paths import resolve_inside
from medqa_core.runs.artifacts.labels import LABELS
from medqa_core.runs.artifacts.manifest import MANIFEST
from medqa_core.runs.run import Run

LEFT_OUT = ("checkpoints", "job.json", "votes.jsonl")
"""What only a resume or the queue needs, and the votes, which are the host's to share."""
TENSORBOARD = "tensorboard"
PRIVATE = ("train.log", "status.json", TENSORBOARD, LABELS)
"""What is nobody's business but the host's: the worker's output, which may hold paths of its machine; which process
trained on which machine, which TensorBoard's files have in their names; tags, notes, a title that was given later."""
WEIGHTS = ("adapter", "model")
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP can hold: when the files were written is no part of the run."""
NOT_IN_NAMES = frozenset('\\:<>"|?*')
"""Where the ZIP is unpacked some of these would lead to another folder, and others cannot be written."""
PACKED_ALREADY = (".safetensors", ".parquet", ".zip")


def members(run: Run, weights: bool = True, private: bool = True) -> list[str]:
    """The names of the files that go in, sorted; no link that leaves the folder, no hidden file and no odd name."""
    without = {*LEFT_OUT, *(() if weights else WEIGHTS), *(() if private else PRIVATE)}
    if not weights or (not private and (run.folder / TENSORBOARD).exists()):
        without.add(MANIFEST)  # one that lists what is not there would call the copy damaged
    found = []
    for place, folders, names in os.walk(run.folder):
        inner = Path(place).relative_to(run.folder)
        folders[:] = sorted(name for name in folders if _wanted(inner / name, without))
        found += [path.as_posix() for name in names if _wanted(path := inner / name, without)]
    return sorted(name for name in found if _inside(run.folder, name))


def weights_size(run: Run) -> int:
    """Bytes of the weights that the whole archive would hold."""
    heavy = [name for name in members(run) if name.split("/", 1)[0] in WEIGHTS]
    return sum((run.folder / name).stat().st_size for name in heavy)


def archive(run: Run, weights: bool = True, private: bool = True) -> bytes:
    """The ZIP; without `weights` the folders adapter/ and model/ stay out, without `private` what `PRIVATE` lists."""
    target = io.BytesIO()
    _fill(run, target, members(run, weights, private))
    return target.getvalue()


def write_archive(run: Run, path: Path) -> None:
    """The whole ZIP as a file, replaced as a whole.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "wb") as file:  # written as it is made: a whole model need not fit into memory
            _fill(run, file, members(run))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _fill(run: Run, target: IO[bytes], names: list[str]) -> None:
    with zipfile.ZipFile(target, "w") as out:
        for name in names:
            entry = zipfile.ZipInfo(f"{run.id}/{name}", EPOCH)
            entry.create_system = 3  # the same on every system
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(PACKED_ALREADY) else zipfile.ZIP_DEFLATED
            entry.file_size = (run.folder / name).stat().st_size  # so that a large one gets the large format
            with open(run.folder / name, "rb") as source, out.open(entry, "w") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)


def _wanted(path: Path, without: set[str]) -> bool:
    name = path.name
    usable = name.isprintable() and NOT_IN_NAMES.isdisjoint(name) and not name.endswith((".", " "))
    return usable and not name.startswith(".") and path.parts[0] not in without


def _inside(folder: Path, name: str) -> bool:
    try:
        return resolve_inside(folder, name).is_file()
    except (OutsideStore, OSError):
        return False
