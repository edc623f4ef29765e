"""Whether a model belongs to the base that it is said to be from: by the shapes of its weights, and by checksum."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from medqa_core.foundation.errors import InputError, MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.models import embedded, folders, hub, toy
from medqa_core.models.incoming.copying import Shapes, shapes_of
from medqa_core.models.loader import LoadedModel
from medqa_core.models.references import EMBEDDED, UPSTREAM, parse, upstream_name

_ADAPTED = re.compile(r"base_model\.model\.(?P<module>.+?)\.lora_(?P<part>A|B)\.weight")
_PREFIX = re.compile(r"^(?:(?:model|transformer|gpt_neox|backbone|decoder)\.)+")
"""What a model of the same kind is saved with or without."""
EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight")
_HEADS = ("lm_head.weight", "embed_out.weight")
"""These too have a row for each token, and are often tied to the embeddings."""


def check_fits(shapes: Shapes, base: LoadedModel, label: str) -> None:
    """Refuse an adapter whose matrices do not fit the base's modules.

    Raises:
        InputError: a module is missing or of another size; it is named.
    """
    adapted = 0
    for name, shape in shapes.items():
        found = _ADAPTED.fullmatch(name)
        if found is None or len(shape) != 2:
            continue
        adapted += 1
        path = found["module"].replace(".base_layer", "")
        try:
            module = base.model.get_submodule(path)
        except AttributeError as error:
            raise InputError(
                f"{label} was not trained on {base.name}: it changes {path}, which that model does not have. Give its "
                "own base with --base.",
                field="--base",
            ) from error
        weight = getattr(module, "weight", None)
        if weight is None or weight.ndim != 2:
            continue
        size = shape[1] if found["part"] == "A" else shape[0]
        if size not in tuple(weight.shape):
            raise InputError(
                f"{label} was not trained on {base.name}: {path} has {size:,} features there, and "
                f"{' by '.join(f'{n:,}' for n in weight.shape)} in that model. Give its own base with --base.",
                field="--base",
            )
    if not adapted and not any(".lora_" in name for name in shapes):
        raise InputError(f"{label} holds no low-rank matrices.")


def check_named_base(base: LoadedModel, named: str | None, label: str, settings: Settings) -> tuple[str, ...]:
    """Refuse a base that is not the one that the source names, where that one is here to compare with.

    Returns:
        What cannot be known of it.

    Raises:
        InputError: their weights have different checksums.
    """
    if base.name == EMBEDDED and named == UPSTREAM:
        return (f"The embedded copy stands in for {named}: converted from a 4-bit file, its weights differ.",)
    if named is None or named in (base.name, upstream_name(base.name)):
        return ()
    theirs = _sha256_here(named, settings)
    if theirs is None:
        return (f"The source names {named} as its base, which is not here; {base.name} was given in its place.",)
    if theirs != base.sha256:
        raise InputError(
            f"{label} names {named} as its base (SHA-256 {theirs[:12]}…), but {base.name} has {base.sha256[:12]}…: "
            "what changed would not be the training's doing. Leave --base out, or give the one it names.",
            field="--base",
        )
    return ()


def relation(shapes: Shapes, base: LoadedModel) -> Literal["fine_tune", "other_model"]:
    """Whether whole weights have the base's shapes, but for added tokens."""
    theirs = shapes_of(folders.weight_files(base.folder, base.name), base.name)
    return "fine_tune" if _comparable(shapes) == _comparable(theirs) else "other_model"


def _comparable(shapes: Shapes) -> Shapes:
    """Shapes by name without what is spelled in two ways or tied, and without rows that tokens add."""
    return {
        _PREFIX.sub("", name): shape[1:] if name.endswith(EMBEDDINGS) else shape
        for name, shape in shapes.items()
        if not name.endswith((*_HEADS, "rotary_emb.inv_freq", ".attn.bias"))
    }


def _sha256_here(name: str, settings: Settings) -> str | None:
    """The checksum of a model that is on this machine; None where it is not. No network."""
    try:
        reference = parse(name)
        here: dict[str, Callable[[], Path | None]] = {
            "embedded": lambda: embedded.folder_in(settings.cache),
            "toy": lambda: toy.folder_in(settings.cache),
            "hub": lambda: hub.cached_folder(reference),
        }
        folder = here[reference.kind]() if reference.kind in here else None
        return None if folder is None else folders.weights_sha256(folder, name, settings.cache)
    except MedQAError:
        return None
