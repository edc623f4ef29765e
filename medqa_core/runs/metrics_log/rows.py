"""Rows of `metrics.jsonl` as columns: many plain lines at once, odd ones a line at a time, with the same outcome."""

import json
import math
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

NUMBERS = ("step", "epoch", "attempt", "time", "loss", "learning_rate", "grad_norm", "tokens", "examples")
STEP, LOSS, NOT_FINITE = 0, NUMBERS.index("loss"), len(NUMBERS)
HEIGHT = len(NUMBERS) + 1
"""Rows of a block: `NUMBERS`, and whether the loss was not finite."""
SPLITS = ("train", "validation")
MOST_STEPS = 2**53
"""Above it a float is no longer exact."""
LINE_WISE = 64 * 2**10
"""Bytes below which a piece is not worth handing to Arrow."""
PLAIN_LINE = 800
"""Bytes of a line that can be neither nested so deeply nor hold a number so long that Python's reader refuses it."""

_PARSING = pj.ParseOptions(
    explicit_schema=pa.schema(
        [
            ("split", pa.string()),
            ("step", pa.int64()),
            *((name, pa.float64()) for name in NUMBERS[1:]),
            ("non_finite", pa.list_(pa.string())),
        ]
    ),
    unexpected_field_behavior="ignore",
)


class ParsedLines(NamedTuple):
    """What some lines hold, in their order: a block of `HEIGHT` rows a split, a column a logged row."""

    train: np.ndarray
    validation: np.ndarray
    odd: int
    """Lines that could not be used."""


def parse(content: bytes) -> ParsedLines:
    """The rows of whole lines. Where a line is out of the ordinary only its neighbours are read slowly with it."""
    if len(content) < LINE_WISE:
        return parse_line_wise(content)
    found = parse_at_once(content)
    if found is not None:
        return found
    middle = content.find(b"\n", len(content) // 2) + 1
    if not 0 < middle < len(content):
        return parse_line_wise(content)
    one, other = parse(content[:middle]), parse(content[middle:])
    return ParsedLines(
        np.hstack([one.train, other.train]), np.hstack([one.validation, other.validation]), one.odd + other.odd
    )


def parse_line_wise(content: bytes) -> ParsedLines:
    """What each line says by itself. Bytes that are not UTF-8 are replaced, so that they cost their own line only."""
    rows: dict[str, list[list[float]]] = {split: [] for split in SPLITS}
    odd = 0
    for line in content.decode("utf-8", "replace").split("\n"):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            odd += 1
            continue
        step = row.get("step") if isinstance(row, dict) else None
        if type(step) is int and 0 <= step < MOST_STEPS and row.get("split") in SPLITS:
            rows[row["split"]].append([*(_number(row.get(name)) for name in NUMBERS), _odd_loss(row)])
        else:
            odd += 1
    train, validation = (np.array(rows[split], dtype=np.float64).reshape(-1, HEIGHT).T for split in SPLITS)
    return ParsedLines(train, validation, odd)


def parse_at_once(content: bytes) -> ParsedLines | None:
    """The same by Arrow, or None where the two might differ: `parse_line_wise` is what a line means."""
    data = np.frombuffer(content, dtype=np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    if not (len(ends) and ends[-1] == len(data) - 1 and data[0] == ord("{") and content.isascii()):
        return None
    if b"N" in content or b"I" in content:  # NaN and Infinity: Arrow knows more spellings of them
        return None
    # With a whole object on either side of each line's end, as many rows as lines means one object a line.
    closed = (data[ends - 1] == ord("}")).all() and (data[ends[:-1] + 1] == ord("{")).all()
    if not closed or np.diff(ends, prepend=-1).max() > PLAIN_LINE:
        return None
    reading = pj.ReadOptions(use_threads=False, block_size=len(data) + 1)
    try:
        table = pj.read_json(pa.BufferReader(content), read_options=reading, parse_options=_PARSING)
    except pa.ArrowInvalid:
        return None
    if len(table) != len(ends):
        return None
    return _by_split(table)


def _by_split(table: pa.Table) -> ParsedLines | None:
    step, split = pc.fill_null(table["step"], -1).to_numpy(), table["split"]
    block = np.empty((HEIGHT, len(table)))
    block[STEP] = step
    for place, name in enumerate(NUMBERS[1:], 1):
        block[place] = table[name].to_numpy()
    if np.isinf(block).any():  # a number out of range: Python's reader tells a long whole one from others
        return None
    block[NOT_FINITE] = 0
    named = table["non_finite"].combine_chunks()
    if named.null_count < len(named):
        is_loss = pc.fill_null(pc.equal(pc.list_flatten(named), "loss"), False).to_numpy(zero_copy_only=False)
        block[NOT_FINITE, pc.list_parent_indices(named).to_numpy()[is_loss]] = 1
    whole = (step >= 0) & (step < MOST_STEPS)
    kept = [pc.fill_null(pc.equal(split, name), False).to_numpy() & whole for name in SPLITS]
    train, validation = (block if mask.all() else block[:, mask] for mask in kept)
    return ParsedLines(train, validation, len(table) - int(kept[0].sum()) - int(kept[1].sum()))


def _odd_loss(row: dict[str, Any]) -> bool:
    named, loss = row.get("non_finite"), row.get("loss")
    return (isinstance(named, list) and "loss" in named) or (isinstance(loss, float) and not math.isfinite(loss))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value) if math.isfinite(value) else math.nan
    except OverflowError:
        return math.nan
