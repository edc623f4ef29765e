"""A run as the hub wants a model: the weights at the root with their card, the run's own files in `report/`."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

from medqa_core.foundation.errors import InputError, ModelUnavailable
from medqa_core.foundation.files import read_json, sha256, write_folder, write_json, write_text
from medqa_core.foundation.paths import resolve_inside
from medqa_core.report.archive import members
from medqa_core.report.facts import Facts
from medqa_core.report.hub.eval_results import eval_results
from medqa_core.report.templates import model_card
from medqa_core.report.templates.model_card import ROOT, Layout
from medqa_core.report.writer import FORMATS
from medqa_core.runs.artifacts.weights import CONFIGS
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import LIVE

REPORT = "report"
"""The folder of the run's own files: record, figures, rows, write-ups."""
CARD = "README.md"
DATA = (".json", ".safetensors", ".txt", ".model", ".jinja")
"""Files of a model folder that go along: no pickles and no code."""

Fill = Callable[[Path], None]
"""Writes a model's files into a folder."""


@dataclass(frozen=True)
class File:
    """One file of the repository."""

    path: str
    """With forward slashes, from the root."""
    size: int
    """In bytes."""
    sha256: str


def write_hub_folder(run: Run, folder: Path, *, merged: Fill | None = None, repo: str | None = None) -> list[File]:
    """Write the repository of `run`, complete or not at all.

    Args:
        run: with weights, and not being trained.
        folder: where to; must not exist yet.
        merged: writes whole weights with tokenizer and configuration in place of an adapter.
        repo: what the repository is called on the hub, for the card.

    Returns:
        Its files, sorted by path.

    Raises:
        InputError: the folder exists, or the run is not finished.
        ModelUnavailable: the run holds no weights.
        OutsideStore: a file of the run is a link out of its folder.
        OSError: the disk is full or cannot be written; nothing is left behind.
    """
    facts = Facts.of(run)
    place = _checked(run, folder)
    kind: Literal["adapter", "model"] = "adapter" if run.adapter_folder() is not None and merged is None else "model"

    def fill(temporary: Path) -> None:
        if merged is not None and run.adapter_folder() is not None:
            merged(temporary)
        else:
            _copy_weights(run, kind, facts, temporary)
        write_text(temporary / CARD, model_card.render(facts, Layout(kind, ROOT, repo)))
        for path, text in eval_results(facts).items():
            write_text(temporary / path, text)
        _write_report(facts, temporary / REPORT)

    write_folder(place, fill)
    return listed(place)


def listed(folder: Path) -> list[File]:
    """All files below `folder`, sorted by path."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [File(path.relative_to(folder).as_posix(), path.stat().st_size, sha256(path)) for path in found]


def _checked(run: Run, folder: Path) -> Path:
    """Where the repository goes, as a whole path."""
    if run.weights_file() is None:
        raise ModelUnavailable(
            f"{run.id} holds no weights, so there is no model to hand on; its figures and reports do."
        )
    if (state := run.state()) in LIVE:
        raise InputError(f"{run.id} is {state}, and its weights may still change: hand it on when it has ended.")
    place = folder.expanduser().absolute()
    if place.exists() or place.is_symlink():
        raise InputError(f"{folder} exists already; name a new folder.", field="--to")
    if place.resolve().is_relative_to(run.folder.parent.resolve()):
        raise InputError(f"{folder} lies in the run store, where it would count as a run.", field="--to")
    return place


def _copy_weights(run: Run, kind: Literal["adapter", "model"], facts: Facts, target: Path) -> None:
    source = run.folder / kind
    for path in sorted(source.glob("[!.]*")):
        if path.suffix in DATA and path.is_file():
            shutil.copyfile(resolve_inside(source, path.name), target / path.name)
    if kind == "adapter":
        _name_base(target / CONFIGS[kind], facts)


def _name_base(path: Path, facts: Facts) -> None:
    """The base as the hub knows it, at the revision trained on; of a folder of this machine nothing is said."""
    base, model = model_card.hub_id(facts), facts.record.base_model
    config = read_json(path)
    same_id = model is not None and base == model.id
    wanted = {"base_model_name_or_path": base, "revision": model.revision if model is not None and same_id else None}
    if isinstance(config, dict) and {name: config.get(name) for name in wanted} != wanted:
        write_json(path, {**config, **wanted})


def _write_report(facts: Facts, target: Path) -> None:
    source = facts.run.folder
    for name in members(facts.run, weights=False, private=False):
        if name in FORMATS:  # written anew below; the card stands at the root
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(resolve_inside(source, *name.split("/")), target / name)
    for name in FORMATS.keys() - {CARD}:
        write_text(target / name, FORMATS[name].render(facts))
    record = read_json(target / "run.json")
    if (said := without_paths(record)) != record:
        write_json(target / "run.json", said)


def without_paths(value: Any) -> Any:
    """A JSON value in which whole paths of a machine are their last name: where things lie there is private."""
    if isinstance(value, dict):
        return {name: without_paths(one) for name, one in value.items()}
    if isinstance(value, list):
        return [without_paths(one) for one in value]
    if isinstance(value, str) and value.startswith("~"):
        return PurePosixPath(value).name
    for kind in (PurePosixPath, PureWindowsPath):
        if isinstance(value, str) and kind(value).is_absolute():
            return kind(value).name
    return value
