"""Ways to damage the files of a run."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.runs import RunBuilder
from tests.support.scenarios import STORED

END = 4096
"""Bytes at a file's end at each of which it is cut once."""
EVERY_BIT = 1024
"""Size up to which a file is tried with each of its bits flipped; of a larger one some are drawn."""
DRAWN = 400

Kind = Literal["cut", "flip", "gone"]


@dataclass(frozen=True)
class Damage:
    """One damage to one file: cut to `place` bytes, bit number `place` flipped, or gone."""

    name: str
    kind: Kind
    place: int = 0

    def done_to(self, content: bytes) -> bytes | None:
        """What is left of the content; None: no file."""
        if self.kind == "gone":
            return None
        if self.kind == "cut":
            return content[: self.place]
        flipped = bytearray(content)
        flipped[self.place // 8] ^= 1 << self.place % 8
        return bytes(flipped)

    def apply(self, folder: Path, content: bytes) -> None:
        """Damage the file, whose whole content is `content`."""
        left = self.done_to(content)
        path = folder / self.name
        path.unlink() if left is None else path.write_bytes(left)


def damages(name: str, content: bytes, seed: int = 0) -> Iterator[Damage]:
    """Every cut in the file's end, its bits (some of them where they are many), and its absence."""
    yield Damage(name, "gone")
    for place in range(max(0, len(content) - END), len(content)):
        yield Damage(name, "cut", place)
    bits = range(8 * len(content))
    if len(content) > EVERY_BIT:
        bits = sorted(random.Random(f"{seed} {name}").sample(bits, DRAWN))  # type: ignore[assignment]
    for place in bits:
        yield Damage(name, "flip", place)


def files_of(run: Run) -> list[str]:
    """The names of the run's files, sorted; what is hidden is not one of them."""
    found = (path.relative_to(run.folder) for path in run.folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if not path.name.startswith("."))


def store_of_two(source: Run, reports: Path) -> RunStore:
    """A store with a whole run and another one beside it."""
    build = RunBuilder(reports, STORED)
    build.whole(source)
    build.copy(source, "other")
    return RunStore(reports)
