"""Moving the queue on from a page: after something was put into it, and whenever it is looked at."""

from contextlib import suppress

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import launch
from pages.shared.flash import flash


def move_on(settings: Settings) -> None:
    """Start the next in the queue if the device is free: a killed worker could not. A demo's visitor starts nothing."""
    if not settings.public:
        with suppress(MedQAError):  # a store that cannot be written is still shown
            launch.advance(settings)


def start_next(settings: Settings) -> None:
    """The same after something was put into the queue; where it fails the next drawing says so, and that it waits."""
    try:
        launch.advance(settings)
    except MedQAError as error:
        flash(f"It waits in the queue, which cannot go on: {error}", bad=True)
