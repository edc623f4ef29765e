"""`manifest.json`: the SHA-256 of every file of a run, so that a copy can be checked against what was written."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import medqa_core
from medqa_core.foundation.errors import OutsideStore, UnreadableFile, shorten
from medqa_core.foundation.files import read_json, sha256, write_json
from medqa_core.foundation.paths import resolve_inside
from medqa_core.foundation.visible import plain
from medqa_core.runs.artifacts.labels import LABELS
from medqa_core.runs.artifacts.votes import VOTES

MANIFEST = "manifest.json"
CHANGING = frozenset({"status.json", "job.json", "train.log", VOTES, LABELS, MANIFEST})
"""Files that go on changing: the control plane's, votes, labels; so do `checkpoints/` and what starts with a dot."""
CHECKPOINTS = "checkpoints"
_SUM = re.compile(r"[0-9a-f]{64}")


def write_manifest(run_folder: Path) -> Path:
    """Write the manifest of the folder as it is now and return its path.

    Links out of the folder, what is no plain file and what cannot be read are not listed; `check_manifest` names them.

    Raises:
        OSError: the manifest cannot be written.
    """
    found = {name: _sum(path) for name, path in _found(run_folder) if path is not None}
    sums = {name: sha for name, sha in found.items() if sha is not None}
    path = run_folder / MANIFEST
    write_json(path, {"schema_version": 1, "written_by": medqa_core.__version__, "files": sums})
    return path


def written_by(run_folder: Path) -> str | None:
    """The version of the program that wrote the manifest, and the write-ups with it; None where it does not say."""
    try:
        value = read_json(resolve_inside(run_folder, MANIFEST))
    except (UnreadableFile, OutsideStore):
        return None
    said = value.get("written_by") if isinstance(value, dict) else None
    return said if isinstance(said, str) else None


def discard_manifest(run_folder: Path) -> None:
    """Remove the manifest: the run is about to change, and an outdated one would call that a damage."""
    (run_folder / MANIFEST).unlink(missing_ok=True)


def check_manifest(run_folder: Path) -> list[str]:
    """What differs from the manifest, one sentence a file: changed, missing, not listed, not to be opened.

    Raises nothing: a manifest that is missing or damaged is a problem of its own.
    """
    try:
        listed = _listed(read_json(resolve_inside(run_folder, MANIFEST)))
    except (UnreadableFile, OutsideStore) as error:
        return [str(error)]
    problems = []
    found = dict(_found(run_folder))
    for name, expected in listed.items():
        if name not in found:
            problems.append(f"{_shown(name)} is missing.")
        elif (path := found[name]) is not None and _sum(path) != expected:
            problems.append(f"{_shown(name)} was changed after the manifest was written.")
    for name, path in found.items():
        if path is None:
            problems.append(f"{_shown(name)} leads out of the folder or is no plain file; it was not opened.")
        elif name not in listed:
            problems.append(f"{_shown(name)} is not listed in {MANIFEST}.")
    return problems


def _found(folder: Path) -> Iterator[tuple[str, Path | None]]:
    """The files that a manifest covers by their names, sorted; None in place of a path that is not to be opened."""
    names: list[str] = []
    for place, folders, files in os.walk(folder):  # does not follow links to folders
        here = Path(place)
        top = here == folder
        folders[:] = [f for f in folders if not f.startswith(".") and not (top and f == CHECKPOINTS)]
        entries = [*files, *(f for f in folders if (here / f).is_symlink())]
        names += [
            (here / entry).relative_to(folder).as_posix()
            for entry in entries
            if not entry.startswith(".") and not (top and entry in CHANGING)
        ]
    for name in sorted(names):
        try:
            path = resolve_inside(folder, name)
        except OutsideStore:
            yield name, None
            continue
        if not name.isprintable():  # no text that JSON could hold, or one that hides what it is
            yield name, None
            continue
        if not path.is_dir():  # a link to a folder of the run: its files are listed where they are
            yield name, path if path.is_file() else None


def _sum(path: Path) -> str | None:
    try:
        return sha256(path)
    except OSError:
        return None


def _listed(value: Any) -> dict[str, str]:
    files = value.get("files") if isinstance(value, dict) else None
    if not isinstance(files, dict) or not all(isinstance(s, str) and _SUM.fullmatch(s) for s in files.values()):
        raise UnreadableFile(f"{MANIFEST} does not list files with their SHA-256.")
    if unknown := sorted(value.keys() - {"schema_version", "written_by", "files"}):
        raise UnreadableFile(f"{MANIFEST} is damaged: it says {shorten(unknown[0], 40)!r}, which no version writes.")
    version = value.get("schema_version")
    if version != 1:
        raise UnreadableFile(f"{MANIFEST} was written by a newer MedQA Lab (schema {shorten(str(version), 20)}).")
    return files


def _shown(name: str) -> str:
    return plain(shorten(name, 120))
