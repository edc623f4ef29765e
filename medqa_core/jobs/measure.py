"""Three measured steps of a configuration, in a process of their own, so that no page has to wait for them."""

import json
import shlex
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
from medqa_core.runs.schema.presets import command_line, from_preset

NAMES = ("title", "description")
"""Fields that change nothing about a run but what it is called."""


class Measurement:
    """A running or finished measurement. Its methods never wait."""

    def __init__(self, config: TrainConfig, settings: Settings) -> None:
        """Start it.

        Raises:
            DeviceBusy: something else works on the device.
            MedQAError: the data set is not in reach, or no process can be started.
        """
        self.config = nameless(check(config, settings))
        if device.is_taken(settings):
            raise device.DeviceBusy(device.busy_words(device.holder(settings)))
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
            raise MedQAError(f"The measurement cannot be started: {error.strerror or error}.") from error
        self.estimate: Estimate | None = None
        self.failure: str | None = None
        """Why it ended without an estimate, in one line; None where it was cancelled."""
        self.said: list[str] = []
        """Its lines about progress, oldest first."""
        self._cancelled = False
        self._thread = threading.Thread(target=self._read, name="measurement", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """End it; what it measured so far is of no use."""
        self._cancelled = True
        with suppress(OSError):
            self._process.terminate()

    def wait(self, seconds: float) -> None:
        """Wait for its end, for at most so long; for callers that have nothing else to do."""
        self._thread.join(seconds)

    def fits(self, config: TrainConfig, settings: Settings) -> bool:
        """Whether it was made for this configuration, whatever that is called."""
        try:
            return nameless(check(config, settings)) == self.config
        except MedQAError:
            return False

    def _read(self) -> None:
        process = self._process
        with process:
            for line in process.stderr or ():
                self.said.append(line.strip())
            answer = process.stdout.read() if process.stdout else ""
        if self._cancelled:
            return
        try:
            if process.returncode == 0:
                self.estimate = Estimate.model_validate(json.loads(answer))
                return
        except (ValueError, ValidationError):
            pass
        last = next((line for line in reversed(self.said) if line), "It ended without a word.")
        self.failure = last.removeprefix("error: ")


def command(config: TrainConfig) -> list[str]:
    """What a measurement is started with."""
    return [sys.executable, *shlex.split(command_line(config))[1:], "--estimate", "--json", "--worker"]


def nameless(config: TrainConfig) -> TrainConfig:
    """`config` under its preset's own title and description: two of these are equal if they train the same."""
    with suppress(MedQAError):
        preset = from_preset(config.preset)
        return config.model_copy(update={name: getattr(preset, name) for name in NAMES})
    return config
