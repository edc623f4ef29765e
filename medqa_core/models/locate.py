"""From a model's name to a folder on this disk with its files, fetched first if need be. Loads no weights."""

from dataclasses import dataclass
from pathlib import Path

from medqa_core.foundation.progress import Progress, StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models import embedded, folders, hub, toy
from medqa_core.models.references import Kind, parse


@dataclass(frozen=True)
class Located:
    """A model whose files are here."""

    folder: Path
    name: str
    revision: str | None
    """The commit of a hub model, also where a branch or tag was asked for; None for the other kinds."""
    kind: Kind


def locate(
    name: str,
    revision: str | None = None,
    *,
    settings: Settings,
    progress: Progress = silent,
    incoming: bool = False,
    steps: StageProgress = silent,
) -> Located:
    """The folder of the model called `name`, checked to be loadable; downloads it if it is not here.

    Args:
        name: the embedded model's, `toy`, a hub id or a folder.
        revision: a hub model's.
        settings: where the cache is.
        progress: told what takes long.
        incoming: it is to be brought in, so that it may be an adapter, and whoever takes it in checks it.
        steps: told how many bytes of a download have come.

    Raises:
        InputError: the name or revision is not usable.
        ModelUnavailable: not in the cache, and it cannot be fetched.
        ModelError: its files are missing or unsafe.
    """
    reference = parse(name, revision)
    commit: str | None = None
    if reference.kind == "embedded":
        folder = embedded.ensure(settings.cache, progress, steps=steps)
    elif reference.kind == "toy":
        folder = toy.ensure(settings.cache, progress)
    elif reference.kind == "folder":
        folder = Path(reference.name)
    else:
        folder, commit = hub.fetch(reference, progress, incoming=incoming, steps=steps)
    if not incoming:
        folders.check(folder, reference.name)
    return Located(folder, reference.name, commit, reference.kind)
