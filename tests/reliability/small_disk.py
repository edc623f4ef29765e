"""A disk of a few megabytes that fills up while runs are trained on it; prints what came of each as JSON.

Run in a mount namespace of its own: `unshare -m python small_disk.py FOLDER CACHE`. The disk is a tmpfs on FOLDER.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from medqa_core.foundation.files import sha256
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training.failure import describe_failure
from medqa_core.training.train import resume, train

SIZE = 4 * 2**20
LEFT = (8, 20, 40, 100, 180, 260, 340)
"""KiB that are left when a training starts: from too little to begin to almost enough."""
FILLED_AT = (3, 6, 9)
"""Steps after which something else takes all that is left."""
OnStep = Callable[[int, int, float], None]


def main(folder: Path, cache: Path) -> None:
    """Mount the disk, train one run with all the room it wants, and then one run a case."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], check=True)
    settings = Settings(reports=folder / "reports", cache=cache, medquad=None, mmlu=None, public=False)
    whole = train(from_preset("smoke"), settings, run_id="whole")
    before = sums(whole.folder)
    found = [one(settings, f"left-{left}", left, None) for left in LEFT]
    found += [one(settings, f"filled-at-{step}", None, step) for step in FILLED_AT]
    sys.stdout.write(json.dumps({"whole": said(whole), "untouched": sums(whole.folder) == before, "cases": found}))


def one(settings: Settings, name: str, left: int | None, filled_at: int | None) -> dict[str, Any]:
    """Train on the full disk, make room, resume; what was there after each."""
    filler = settings.reports.parent / "filler"
    if left is not None:
        fill(filler, left * 1024)

    def on_step(step: int, total: int, loss: float) -> None:
        if step == filled_at:
            fill(filler, 0)

    error = attempt(lambda: train(from_preset("smoke"), settings, run_id=name, on_step=on_step))
    store = RunStore(settings.reports)
    listed = {entry.id: entry.state for entry in store.list()}
    full = said(store.open(name)) if name in listed else None
    filler.unlink()
    if name in listed:
        attempt(lambda: resume(store.open(name), settings))
    else:
        attempt(lambda: train(from_preset("smoke"), settings, run_id=name))
    return {"name": name, "error": error, "listed": listed, "full": full, "resumed": said(store.open(name))}


def attempt(work: Callable[[], Run]) -> list[str] | None:
    """What ended it: the cause and the words; None where nothing did."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - whatever it is, its words are what is looked at
        return list(describe_failure(error))
    return None


def fill(path: Path, left: int) -> None:
    """Take all the disk but `left` bytes."""
    room = os.statvfs(path.parent)
    with open(path, "wb") as file, suppress(OSError):
        file.write(b"\1" * (room.f_bavail * room.f_frsize - left))
        while not left:
            file.write(b"\1" * 4096)
            file.flush()


def said(run: Run) -> dict[str, Any]:
    """What a reader finds in the run's folder."""
    fresh = RunStore(run.folder.parent).open(run.id)
    status, metrics_log = fresh.status(), fresh.metrics_log()
    names = [path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*")]
    curves = {
        split: list(zip(curve["step"].tolist(), curve["loss"].tolist(), strict=True))
        for split, curve in (("train", metrics_log.train), ("validation", metrics_log.validation))
    }
    return {
        "state": fresh.state(),
        "cause": status.cause if status else None,
        "error": status.error if status else None,
        "problems": list(fresh.snapshot().problems),
        "curves": curves,
        "temporary": [name for name in names if name.endswith((".tmp", ".old", ".spare"))],
        "weights": sha256(weights) if (weights := fresh.weights_file()) else None,
    }


def sums(folder: Path) -> dict[str, str]:
    """Each file's checksum."""
    return {path.relative_to(folder).as_posix(): sha256(path) for path in folder.rglob("*") if path.is_file()}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
