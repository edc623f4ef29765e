"""Which format a table is of, by its columns and first rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice

from medqa_core.data.formats.chat import messages, prompt_and_completion
from medqa_core.data.formats.marked import marked_text
from medqa_core.data.formats.options import multiple_choice
from medqa_core.data.formats.questions import alpaca, pubmed_qa, squad
from medqa_core.data.formats.sample import ROWS
from medqa_core.data.tables import Row, Table
from medqa_core.foundation.errors import InputError

Format = Callable[[Table, Sequence[Row], Mapping[str, str]], Table | None]
FORMATS: tuple[Format, ...] = (
    messages,
    prompt_and_completion,
    squad,
    pubmed_qa,
    multiple_choice,
    alpaca,
    marked_text,
)
"""Asked in this order; the first that knows the table reads it."""


def in_plain_rows(table: Table, mapping: Mapping[str, str]) -> Table:
    """`table` with a row for each question and answer, whatever format it is of; a plain one as it is.

    Args:
        table: as its file was read.
        mapping: columns as they were asked for, which no format may take for something else.

    Raises:
        InputError: the first rows are torn.
    """
    rows = iter(table.rows)
    try:
        sample = list(islice(rows, ROWS))
    except InputError:  # what was found before is worth knowing too
        table.problems.raise_any()
        raise
    whole = table if isinstance(table.rows, list) else replace(table, rows=chain(sample, rows))
    made = (known(whole, sample, mapping) for known in FORMATS)
    return next((one for one in made if one is not None), whole)
