"""Servers in miniature: what the Fine-tune page does, again and again, in a process that can be killed."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import psutil

from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.runs.run import Run
from tests.reliability.workers import parsed

EPOCHS = 40.0
"""240 steps of the `smoke` preset: long enough to span many deaths."""
SERVES = f"""
import sys, time; sys.path.insert(0, {str(PACKAGE_ROOT)!r})
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import launch, queue, watch
from medqa_core.runs.schema.presets import from_preset
settings = Settings.from_environment()
for seed in map(int, sys.argv[2:]):
    queue.submit(from_preset("smoke", {{"epochs": float(sys.argv[1]), "seed": seed}}), settings, evaluate=False)
while True:
    launch.advance(settings)
    queue = watch.look(settings)
    print(",".join(f"{{c.run.id}}:{{c.activity}}:{{c.status.process.pid if c.status.process else 0}}"
                   for c in queue.current), flush=True)
    time.sleep(0.05)
"""
"""What the Fine-tune page's server does: the button, then every look at the queue."""


def serve(settings: Settings, *arguments: str, code: str = SERVES, epochs: float = EPOCHS) -> "subprocess.Popen[bytes]":
    """Start a server; its arguments are the seeds for which the button is pressed first."""
    names = {"MEDQA_REPORTS": settings.reports, "MEDQA_CACHE": settings.cache, "OMP_NUM_THREADS": 1}
    with open(settings.reports.parent / "server.out", "ab") as out:
        return subprocess.Popen(
            [sys.executable, "-c", code, str(epochs), *arguments],
            env={**os.environ, **{name: str(value) for name, value in names.items()}},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def workers(settings: Settings) -> list[psutil.Process]:
    """The workers of this store, those that are only starting too."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            told = process.cmdline()
            if "--worker" in told and process.environ().get("MEDQA_REPORTS") == str(settings.reports):
                found.append(process)
    return found


def check_trained_once(run: Run) -> None:
    """Complete in one attempt, each step logged once."""
    assert run.state() == "completed", run.log_tail()[-2000:]
    rows = parsed((run.folder / "metrics.jsonl").read_bytes())
    assert {row["attempt"] for row in rows} == {1}
    assert set(Counter((row["split"], row["step"]) for row in rows).values()) == {1}
    status = run.status()
    assert status is not None and status.step == status.total_steps


def command(settings: Settings, *words: str, prefix: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
    """A verb of the command line, or what `prefix` makes of it."""
    names = {"MEDQA_REPORTS": str(settings.reports), "MEDQA_CACHE": str(settings.cache), "CHECKOUT": str(PACKAGE_ROOT)}
    verb = [sys.executable, "-m", "medqa_core", *words] if words else []
    return subprocess.run(
        [*prefix, *verb], cwd=PACKAGE_ROOT, env={**os.environ, **names},
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
