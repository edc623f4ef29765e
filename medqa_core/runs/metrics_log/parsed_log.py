"""What was read of one `metrics.jsonl` so far: as the file only grows, reading on costs the new lines alone."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

import numpy as np

from medqa_core.runs.metrics_log.rows import HEIGHT, STEP, ParsedLines, parse, parse_line_wise

PIECE = 4 * 2**20
"""Bytes that are parsed at a time."""
LONGEST = 2**20
"""Bytes of a line beyond a piece's end; what is longer is cut, and so costs itself only."""
THREADS = min(4, os.cpu_count() or 1)
NO_ROWS = np.empty((HEIGHT, 0))
NO_ROWS.flags.writeable = False


class SplitRows:
    """One split's rows in step order; of a step logged twice (a resumed run) the later row counts."""

    def __init__(self, block: np.ndarray) -> None:
        self._block, self._used = block, block.shape[1]

    @property
    def block(self) -> np.ndarray:
        """`HEIGHT` rows, a column a step; read-only, and what was handed out never changes when rows are added."""
        found = self._block[:, : self._used]
        found.flags.writeable = False
        return found

    def add(self, parts: list[np.ndarray]) -> None:
        """Take in rows that stand behind the ones so far in the file."""
        count = sum(part.shape[1] for part in parts)
        if not count:
            return
        end = self._used + count
        if end > self._block.shape[1]:  # with room for what a live run will add, so that adding need not copy all
            wider = np.empty((HEIGHT, end + max(1024, end // 8)))
            wider[:, : self._used] = self.block
            self._block = wider
        place = self._used
        for part in parts:
            self._block[:, place : place + part.shape[1]] = part
            place += part.shape[1]
        first, self._used = max(0, self._used - 1), end
        if (np.diff(self._block[STEP, first:end]) <= 0).any():
            self._block = _in_order(self.block)
            self._used = self._block.shape[1]


@dataclass
class ParsedLog:
    """The rows of both splits, the lines that could not be used, and how far the file was read."""

    train: SplitRows = field(default_factory=lambda: SplitRows(NO_ROWS))
    validation: SplitRows = field(default_factory=lambda: SplitRows(NO_ROWS))
    odd: int = 0
    parsed: int = 0
    """Bytes from the start of the file to the end of the last line that was read."""

    def read_on(self, file: BinaryIO) -> None:
        """Take in the whole lines behind `parsed`."""
        file.seek(self.parsed)
        pieces = _pieces(file, os.fstat(file.fileno()).st_size)
        parts = [parse(piece) for piece in islice(pieces, 1)]
        with ThreadPoolExecutor(THREADS) as pool:  # starts no thread where there is nothing more to do
            while some := list(islice(pieces, 2 * THREADS)):
                parts += pool.map(parse, some)
        self._add(parts)
        self.parsed = file.tell()

    def with_end(self, file: BinaryIO) -> "ParsedLog":
        """The log with the last line, which has no end (yet) and is read anew each time; this one stays as it is."""
        file.seek(self.parsed)
        last = parse_line_wise(file.read(LONGEST))
        if not (last.odd or last.train.size or last.validation.size):
            return self
        whole = self.snapshot()
        whole._add([last])
        return whole

    def snapshot(self) -> "ParsedLog":
        """The log as it is now: reading on leaves it as it is."""
        return ParsedLog(SplitRows(self.train.block), SplitRows(self.validation.block), self.odd, self.parsed)

    def _add(self, parts: list[ParsedLines]) -> None:
        self.train.add([part.train for part in parts])
        self.validation.add([part.validation for part in parts])
        self.odd += sum(part.odd for part in parts)


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Whole lines up to `size`; afterwards the file stands behind the last one."""
    while (start := file.tell()) < size and (piece := file.read(min(PIECE, size - start))):
        if not piece.endswith(b"\n"):
            piece += file.readline(LONGEST)
        whole = piece.rfind(b"\n") + 1
        if whole == len(piece):
            yield piece
        elif start + len(piece) >= size:  # the last line has no end
            file.seek(start + whole)
            yield piece[:whole]
            return
        else:
            yield piece
            skip_line(file)


def skip_line(file: BinaryIO) -> None:
    """Go on to the next line, however far it is."""
    while part := file.read(2**16):
        end = part.find(b"\n") + 1
        if end:
            file.seek(end - len(part), os.SEEK_CUR)
            return


def _in_order(rows: np.ndarray) -> np.ndarray:
    ordered = rows[:, np.argsort(rows[STEP], kind="stable")]
    last = np.append(np.diff(ordered[STEP]) > 0, True)
    return ordered[:, last]
