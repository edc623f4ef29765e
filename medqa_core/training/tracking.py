"""A training's figures in a tracker that people already use, through accelerate's own (`report_to`).

A tracker is somebody else's code, often with a network behind it. It runs in a thread of its own and is never waited
for: what it raises, or a queue that it does not empty, ends its reporting with one line in the log, and never the run.
"""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from medqa_core.foundation.errors import InputError, shorten
from medqa_core.foundation.settings import APP_NAME
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrackerName

log = logging.getLogger("medqa.train")

PACKAGES: dict[TrackerName, tuple[str, ...]] = {
    "none": (),
    "tensorboard": ("tensorboardX", "torch.utils.tensorboard.writer"),
    "trackio": ("trackio",),
    "mlflow": ("mlflow",),
    "wandb": ("wandb",),
}
"""Modules by tracker, any of which will do."""
FOLDER = "tensorboard"
"""In the run folder: TensorBoard's event files."""
WAITING = 10_000
"""Rows that may wait for a slow tracker; later ones are left out."""
PATIENCE = 30.0
"""Seconds that the end of a training waits for its tracker."""


class Tracker(Protocol):
    """What accelerate's trackers have in common."""

    def start(self) -> None:
        """Open it."""

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        """Note the configuration."""

    def log(self, values: dict[str, Any], step: int | None = None) -> None:
        """Note figures of a step."""

    def finish(self) -> None:
        """Close it."""


def require_tracker(name: TrackerName) -> None:
    """Ask, before anything is loaded, for what a tracker needs to be installed.

    Raises:
        InputError: it is not.
    """
    modules = PACKAGES[name]
    if modules and not any(_is_installed(module) for module in modules):
        raise InputError(
            f"{modules[0]} is not installed: pip install -r requirements-trackers.txt, or leave it at none.",
            field="report_to",
        )


def tracking_of(run: Run) -> "Tracking":
    """What the run's configuration asks for, begun."""
    config = run.record.config
    name: TrackerName = "none" if config is None else config.report_to
    if name == "none" or config is None:
        return Tracking(None)
    values = {field: _plain(value) for field, value in config.model_dump(mode="json").items()}
    return Tracking(lambda: _tracker(name, run.id, run.folder), values, name)


class Tracking:
    """Hands rows to a tracker in a thread of its own."""

    def __init__(
        self, make: Callable[[], Tracker] | None, config: dict[str, Any] | None = None, name: str = "tracker"
    ) -> None:
        """`make` gives the tracker, in that thread; None: there is none."""
        self._rows: queue.Queue[tuple[dict[str, float], int] | None] = queue.Queue(WAITING)
        self._name = name
        self._left_out = 0
        self._thread: threading.Thread | None = None
        if make is not None:
            self._thread = threading.Thread(target=self._run, args=(make, config or {}), name=name, daemon=True)
            self._thread.start()

    def log(self, step: int, values: dict[str, float]) -> None:
        """Hand on figures of a step; returns at once."""
        if self._thread is None:
            return
        try:
            self._rows.put_nowait((values, step))
        except queue.Full:
            self._left_out += 1

    def close(self) -> None:
        """Let the tracker finish, but not for long."""
        if self._thread is None:
            return
        with suppress(queue.Full):
            self._rows.put(None, timeout=PATIENCE / 2)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            log.warning("%s does not answer; what it was not told yet is in metrics.jsonl", self._name)
        elif self._left_out:
            log.warning("%s was too slow: %d rows are in metrics.jsonl alone", self._name, self._left_out)

    def _run(self, make: Callable[[], Tracker], config: dict[str, Any]) -> None:
        ended = False
        try:
            tracker = make()
            tracker.start()
            with suppress(Exception):  # TensorBoard's writers disagree on how settings are written; rows matter more
                tracker.store_init_configuration(config)
            while (row := self._rows.get()) is not None:
                tracker.log(row[0], step=row[1])
            ended = True
            tracker.finish()
        except BaseException as error:  # noqa: BLE001 - somebody else's code, which also calls `sys.exit`
            log.warning(
                "%s reports no further: %s", self._name, shorten(str(error).strip() or type(error).__name__, 200)
            )
            while not ended:  # so that nobody waits for a place
                ended = self._rows.get() is None


def _tracker(name: TrackerName, run_id: str, folder: Path) -> Tracker:
    """accelerate's tracker of that name; project and place as its own variables say, else ours."""
    from accelerate import tracking

    found: Tracker
    if name == "tensorboard":
        found = tracking.TensorBoardTracker(FOLDER, logging_dir=folder)
    elif name == "mlflow":
        found = tracking.MLflowTracker(experiment_name=APP_NAME, run_name=run_id)
    elif name == "trackio":
        found = tracking.TrackioTracker(APP_NAME, name=run_id)
    else:
        found = tracking.WandBTracker(APP_NAME, name=run_id)
    return found


def _is_installed(module: str) -> bool:
    try:
        if find_spec(module.partition(".")[0]) is None:
            return False
        # torch brings its half of a writer without the package that it writes with.
        return not module.startswith("torch.") or find_spec("tensorboard") is not None
    except (ImportError, ValueError):
        return False


def _plain(value: Any) -> bool | int | float | str:
    """Settings as every tracker takes them."""
    return value if isinstance(value, bool | int | float | str) else str(value)
