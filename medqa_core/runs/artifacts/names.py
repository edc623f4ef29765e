"""Files of a run folder that version 0.1 called otherwise: found under either name, written under today's."""

import os
from pathlib import Path

OLDER_NAMES = {
    "with_sources.parquet": "grounded.parquet",
    ".with_sources.jsonl": ".grounded.jsonl",
    "trials.csv": "tried.csv",
}


def stored_name(folder: Path, name: str) -> str:
    """`name`, or the older name of that file where `folder` holds it under that one alone."""
    older = OLDER_NAMES.get(name)
    there = older is not None and os.path.lexists(folder / older) and not os.path.lexists(folder / name)
    return older if older is not None and there else name


def forget_older(path: Path) -> None:
    """Remove the file of the older name, whose place the one at `path` has taken."""
    older = OLDER_NAMES.get(path.name)
    if older is not None:
        path.with_name(older).unlink(missing_ok=True)
