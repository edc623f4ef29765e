"""`trials.csv`: the recipes that were tried before this one, as whoever ran them wrote them down."""

import csv
import io
from pathlib import Path

from medqa_core.foundation.errors import UnreadableFile
from medqa_core.foundation.files import read_text
from medqa_core.foundation.paths import resolve_inside
from medqa_core.foundation.visible import plain
from medqa_core.runs.artifacts.names import stored_name

TRIALS = "trials.csv"
SIZE_LIMIT = 2**20
MOST_ROWS = 100
MOST_COLUMNS = 12

Trials = tuple[tuple[str, ...], ...]
"""The header, then a row per trial, all of one length."""


def read_trials(run_folder: Path) -> Trials:
    """The file's rows without control characters.

    Raises:
        UnreadableFile: missing, too large, not CSV, without a row under its header, or with rows of several lengths.
        OutsideStore: a link that leaves the run folder.
    """
    name = stored_name(run_folder, TRIALS)
    text = read_text(resolve_inside(run_folder, name), SIZE_LIMIT)
    try:
        rows = [tuple(plain(cell) for cell in row) for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error as error:
        raise UnreadableFile(f"{name} is not valid CSV: {error}.") from error
    if len(rows) < 2:
        raise UnreadableFile(f"{name} has no row under its header.")
    if len(rows) > MOST_ROWS + 1 or len(rows[0]) > MOST_COLUMNS:
        raise UnreadableFile(f"{name} has more than {MOST_ROWS} rows or {MOST_COLUMNS} columns; it was not read.")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(rows[0]):
            raise UnreadableFile(f"{name}, row {number}: {len(row)} cells under a header of {len(rows[0])}.")
    return tuple(rows)
