"""Trainer's log history as rows of `metrics.jsonl` and, of everything else that it logs, as series."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from medqa_core.foundation.format import listing
from medqa_core.runs.artifacts.series import DRAWN, MOST_POINTS, MOST_SERIES, Series
from medqa_core.runs.importers.log_rows import kind_of_training, loss, normalised, whole
from medqa_core.runs.importers.source import line, named, number
from medqa_core.runs.metrics_log.log import SplitName, encode_row
from medqa_core.runs.schema.record import Check, TrainingKind

ROW_LIMIT = 200_000
_EVALUATION_LOSS = re.compile(r"eval_(?:(?P<set>.+)_)?loss")
_TIMING = re.compile(
    r"(eval|train|test|predict)_.*(runtime|_per_second|model_preparation_time|samples|num_tokens_seen)"
)
_SUMMARY = frozenset({"train_loss", "total_flos", "epoch", "step", "loss", "learning_rate", "grad_norm"})
_Place = tuple[str, SplitName, str | None]
"""A name, its part, and its evaluation set."""


@dataclass
class History:
    """What a log history holds."""

    rows: list[dict[str, Any]]
    """Its rows under Trainer's names."""
    training: TrainingKind | None
    lines: list[str] = field(default_factory=list)
    """Of metrics.jsonl."""
    odd: int = 0
    """Rows with a loss and no usable step."""
    series: list[Series] = field(default_factory=list)
    not_kept: list[str] = field(default_factory=list)
    """Names of what is neither a figure nor a series here."""
    without_loss: list[int] = field(default_factory=list)
    """Steps at which there was an evaluation whose loss was not logged."""

    @property
    def last_loss(self) -> float | None:
        """The training loss that was logged last."""
        logged = [value for row in self.rows if (value := number(row.get("loss"))) is not None]
        return float(logged[-1]) if logged else None

    def notes(self) -> list[str]:
        """What was kept beside the curve, what is left out, and what an evaluation lacks: a sentence each."""
        drawn = DRAWN[self.training] if self.training else ()
        kept = dict.fromkeys(s.label for s in self.series if s.name not in drawn and s.name != "loss")
        said = [f"Kept, not drawn: {named(kept)}. Loss curves draws them on request."] if kept else []
        if self.not_kept:
            said.append(f"Not kept: {named(self.not_kept)}.")
        if self.without_loss:
            steps = [f"{step:,}" for step in self.without_loss[:5]]
            more = f" and {len(self.without_loss) - 5} more" if len(self.without_loss) > 5 else ""
            plural = "steps" if len(self.without_loss) > 1 else "step"
            said.append(f"Evaluated at {plural} {listing(steps)}{more}, but no loss was logged.")
        return said


def read_history(history: list[dict[str, Any]]) -> History:
    """The rows of a log history, whichever trainer wrote them."""
    rows = _with_loss([normalised(row) for row in history[:ROW_LIMIT]])
    training = kind_of_training(rows)
    sets = list(dict.fromkeys(name for row in rows for key in row if (name := _set_of_loss(key)) is not None))
    alone = sets[0] if len(sets) == 1 and not any("eval_loss" in row for row in rows) else None
    if alone is not None:  # one named set is the validation set
        rows = [{_without_set(key, alone): value for key, value in row.items()} for row in rows]
        sets = []
    found = History(rows, training)
    _curve(found)
    _series(found, sets)
    return found


def curve_check(history: History, steps: int | None) -> Check:
    """The logged steps lie within the run and nothing is missing at its end."""
    name = "the logged curve reaches the last step"
    logged = [s for row in history.rows if "loss" in row and (s := whole(row.get("step"))) is not None]
    if steps is None or not logged:
        return Check(name=name, passed=None, detail="The output does not state both.")
    if len(logged) == 1:
        detail = f"One step, {logged[0]}, of {steps} was logged: how often it was to be is not known."
        return Check(name=name, passed=None, detail=detail)
    gap = max((b - a for a, b in pairwise(logged)), default=logged[0])
    last = max(logged)
    passed = last <= steps < last + max(gap, 1)
    detail = f"Last logged step {last} of {steps}, logged every {gap} steps."
    return Check(name=name, passed=passed, detail=detail)


def _with_loss(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with `train_loss` as `loss` where it is the loss at a step, as Lightning and many scripts name it.

    Trainer's `train_loss` is the mean over a run, stated once at its end, beside how long it took.
    """
    logged = sum("train_loss" in row and "train_runtime" not in row for row in rows)
    if logged < 2 or any("loss" in row for row in rows):
        return rows
    return [{"loss" if key == "train_loss" else key: value for key, value in row.items()} for row in rows]


def _curve(found: History) -> None:
    """One line a logged loss. Where the steps begin anew the run was resumed, and the rest is another attempt."""
    attempt, before = 1, -1
    for row in found.rows:
        step = whole(row.get("step"))
        for split, key in _SPLITS:
            if key not in row:
                continue
            if step is None:
                found.odd += 1
                continue
            if split == "train" and step < before:
                attempt += 1
            before = step if split == "train" else before
            values: dict[str, float | int | None] = {"step": step, "epoch": number(row.get("epoch"))}
            values |= {"attempt": attempt} if attempt > 1 else {}
            values["loss"] = loss(row[key])
            if split == "train":
                values |= {
                    n: loss(row[n]) for n in ("learning_rate", "grad_norm") if isinstance(row.get(n), int | float)
                }
            found.lines.append(encode_row(split, **values))
        if step is not None and _is_evaluation(row) and not any(_EVALUATION_LOSS.fullmatch(key) for key in row):
            found.without_loss.append(step)


_SPLITS: tuple[tuple[SplitName, str], ...] = (("train", "loss"), ("validation", "eval_loss"))


def _series(found: History, sets: list[str]) -> None:
    """Every other number that was logged at a step, by name, part and evaluation set."""
    points: dict[_Place, tuple[list[int], list[float | None]]] = defaultdict(lambda: ([], []))
    left = dict[str, None]()
    for row in found.rows:
        step = whole(row.get("step"))
        for key, value in row.items():
            if key in _SUMMARY or key == "eval_loss":
                continue
            kept = _value(value)
            of = _place(key, sets)
            if (
                step is None
                or isinstance(kept, str)
                or _TIMING.fullmatch(key)
                or (of not in points and len(points) >= MOST_SERIES)
            ):
                left[line(key, 60)] = None
                continue
            steps, values = points[of]
            steps.append(step)
            values.append(kept)
    found.not_kept = [name for name in left if name]
    for (name, split, evaluation_set), (steps, values) in points.items():
        stride = -(-len(steps) // MOST_POINTS)
        found.series.append(
            Series(
                name=line(name, 120),
                split=split,
                evaluation_set=line(evaluation_set, 60) if evaluation_set else None,
                steps=steps[::stride],
                values=values[::stride],
            )
        )


def _value(value: Any) -> float | str | None:
    """A number, None for one that is not finite, or a text for what is no number at all."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "none"
    kept = number(value)
    return None if kept is None else float(kept)


def _place(key: str, sets: list[str]) -> _Place:
    """A key's name, part and evaluation set."""
    if not key.startswith("eval_"):
        return key, "train", None
    rest = key.removeprefix("eval_")
    of = next((name for name in sorted(sets, key=len, reverse=True) if rest.startswith(f"{name}_")), None)
    return (rest if of is None else rest.removeprefix(f"{of}_")), "validation", of


def _set_of_loss(key: str) -> str | None:
    found = _EVALUATION_LOSS.fullmatch(key)
    return found["set"] if found else None


def _without_set(key: str, name: str) -> str:
    return f"eval_{key.removeprefix(f'eval_{name}_')}" if key.startswith(f"eval_{name}_") else key


def _is_evaluation(row: dict[str, Any]) -> bool:
    return any(key.startswith("eval_") for key in row)
