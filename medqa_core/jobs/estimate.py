"""An estimate of time and memory, made in a process of its own so that no page has to wait for it."""

import json
import subprocess
import sys
import threading
from contextlib import suppress

from pydantic import ValidationError

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings, site_folder
from medqa_core.jobs import device, launch
from medqa_core.jobs.checks import check
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.estimate import Estimate
from medqa_core.runs.schema.presets import from_preset, train_arguments

NAMES = ("title", "description")
"""Fields that change nothing about a run but what it is called."""


class EstimateProcess:
    """The process that makes an estimate, running or finished. Only `wait` waits."""

    def __init__(self, config: TrainConfig, settings: Settings) -> None:
        """Start it.

        Raises:
            DeviceBusy: something else works on the device.
            MedQAError: the data set is unavailable, or no process can be started.
        """
        self.config = without_names(check(config, settings))
        if device.is_taken(settings):
            raise device.DeviceBusy(device.busy_message(device.work(settings)))
        try:
            self._process = subprocess.Popen(
                command(self.config),
                cwd=site_folder(),
                env=launch.environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise MedQAError(f"The estimate cannot be started: {error.strerror or error}.") from error
        self.estimate: Estimate | None = None
        self.failure: str | None = None
        """Why it ended without an estimate, in one line; None where it was cancelled."""
        self.progress: list[str] = []
        """Its lines about progress, oldest first, without empty ones."""
        self._cancelled = False
        self._thread = threading.Thread(target=self._read, name="estimate", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it is still running."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """End it; there is no estimate then."""
        self._cancelled = True
        with suppress(OSError):
            self._process.terminate()

    def wait(self, seconds: float) -> None:
        """Wait until it has finished, at most so long; for callers that have nothing else to do."""
        self._thread.join(seconds)

    def is_for(self, config: TrainConfig, settings: Settings) -> bool:
        """Whether it was made for this configuration, whatever that is called."""
        try:
            return without_names(check(config, settings)) == self.config
        except MedQAError:
            return False

    def _read(self) -> None:
        process = self._process
        with process:
            for line in process.stderr or ():
                if said := line.strip():
                    self.progress.append(said)
            answer = process.stdout.read() if process.stdout else ""
        if self._cancelled:
            return
        try:
            if process.returncode == 0:
                self.estimate = Estimate.model_validate(json.loads(answer))
                return
        except (ValueError, ValidationError):
            pass
        last = self.progress[-1] if self.progress else "The process exited unexpectedly."
        self.failure = last.removeprefix("error: ")


def command(config: TrainConfig) -> list[str]:
    """The command line of the process."""
    return [sys.executable, "-m", "medqa_core", *train_arguments(config), "--estimate", "--json", "--worker"]


def without_names(config: TrainConfig) -> TrainConfig:
    """`config` under its preset's own title and description: two of these are equal if they train the same."""
    with suppress(MedQAError):
        preset = from_preset(config.preset)
        return config.model_copy(update={name: getattr(preset, name) for name in NAMES})
    return config
