"""Trainer's log history as rows of `metrics.jsonl`."""

import math
from itertools import pairwise
from typing import Any

from medqa_core.runs.importers.source import number
from medqa_core.runs.metrics_log.log import encode_row
from medqa_core.runs.schema.record import Check

ROW_LIMIT = 200_000
STEP_LIMIT = 2**53


def metrics_lines(history: list[dict[str, Any]]) -> tuple[list[str], int]:
    """One line a logged loss, and how many rows had no usable step. Rows of other things are passed over."""
    lines, odd = [], 0
    for row in history[:ROW_LIMIT]:
        for split, key in (("train", "loss"), ("validation", validation_key(row))):
            if key not in row:
                continue
            step = row.get("step")
            if type(step) is not int or not 0 <= step < STEP_LIMIT:
                odd += 1
                continue
            values = {"step": step, "epoch": number(row.get("epoch")), "loss": _loss(row[key])}
            if split == "train":
                values |= {n: _logged(row[n]) for n in ("learning_rate", "grad_norm") if n in row}
                lines.append(encode_row("train", **values))
            else:
                lines.append(encode_row("validation", **values))
    return lines, odd


def validation_key(row: dict[str, Any]) -> str:
    """`eval_loss`, or the one `eval_NAME_loss` of a run that validates on a named set."""
    named = [key for key in row if key.startswith("eval_") and key.endswith("_loss")]
    return "eval_loss" if "eval_loss" in row or len(named) != 1 else named[0]


def curve_check(history: list[dict[str, Any]], steps: int | None) -> Check:
    """The logged steps lie within the run and nothing is missing at its end."""
    name = "the logged curve reaches the last step"
    logged = [s for row in history if "loss" in row and type(s := row.get("step")) is int and 0 <= s < STEP_LIMIT]
    if steps is None or not logged:
        return Check(name=name, passed=None, detail="The output does not state both.")
    gap = max((b - a for a, b in pairwise(logged)), default=logged[0])
    last = max(logged)
    passed = last <= steps < last + max(gap, 1)
    detail = f"Last logged step {last} of {steps}, logged every {gap} steps."
    return Check(name=name, passed=passed, detail=detail)


def _loss(value: Any) -> float | None:
    """A loss; one that is no number a double can hold counts as not finite, as a NaN does."""
    if value is None:
        return None
    kept = number(value)
    return math.nan if kept is None else float(kept)


def _logged(value: Any) -> float | None:
    return _loss(value) if isinstance(value, int | float) else None
