"""Fine-tuning, sources, or both: a closed-book and an open-book run on the same test questions, way by way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from medqa_core.evaluation.between_runs import MIN_SHARED_GROUPS, Measured, joined, on_both
from medqa_core.evaluation.tables import judge_family, numbers
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.format import plural
from medqa_core.runs.schema.evaluation import Metric, MetricName

WayName = Literal[
    "base", "fine_tuned", "base_reading", "fine_tuned_reading", "top_passage", "template_answer", "nearest_answer"
]
"""A model that answers from its weights, one that reads passages first, or a control without a model."""
Figure = Literal["content_f1", "specifics", "rougeL", "supported", "repetition", "ended", "words"]
READER: WayName = "fine_tuned_reading"
JUDGED: tuple[MetricName, ...] = ("content_f1", "rougeL")
_PLACES: dict[WayName, tuple[Literal["closed", "open"], str]] = {
    "base": ("closed", "base"),
    "fine_tuned": ("closed", "fine_tuned"),
    "base_reading": ("open", "base"),
    "fine_tuned_reading": ("open", "fine_tuned"),
    "top_passage": ("open", "top_passage"),
    "template_answer": ("open", "template_answer"),
    "nearest_answer": ("open", "nearest_answer"),
}


@dataclass(frozen=True)
class Way:
    """One way to answer, over the questions of both runs."""

    name: WayName
    values: Mapping[Figure, float]
    """Means over the questions that have a value; what no question has is missing."""
    against: Mapping[MetricName, Metric]
    """The model that was fine-tuned to read against this way: `base` is this way's value, `difference` reader − way.
    Empty for that model itself; p-values are corrected over all ways and metrics together (Holm)."""


@dataclass(frozen=True)
class Ways:
    """All ways, those of models first."""

    closed: str
    open_book: str
    questions: int
    groups: int
    ways: tuple[Way, ...]

    def __getitem__(self, name: WayName) -> Way | None:
        """The way of that name, where it was measured."""
        return next((one for one in self.ways if one.name == name), None)


def judge_ways(closed: Measured, open_book: Measured, most_tokens: Sequence[int | None] = (None, None)) -> Ways:
    """Judge the model that reads against every other way, question by question, whole topics resampled.

    Args:
        closed: a run whose models answered from their weights.
        open_book: one whose models read passages first.
        most_tokens: an answer's, of either run; an answer of as many was cut.

    Raises:
        InputError: the runs share too few test questions, or score them against other references.
    """
    sides = dict(zip(("closed", "open"), on_both(closed, open_book), strict=True))
    groups = joined(*(side["group_id"].tolist() for side in sides.values())) if len(sides["closed"]) else []
    if closed.source != open_book.source or len(set(groups)) < MIN_SHARED_GROUPS:
        raise InputError(
            f"{closed.run_id} and {open_book.run_id} share {plural(len(set(groups)), 'independent topic')} of their "
            f"test questions; at least {MIN_SHARED_GROUPS} are needed."
        )
    ours, theirs = (numbers(one, "reference_all_bytes") for one in sides.values())
    if not np.array_equal(ours, theirs, equal_nan=True):
        raise InputError(
            f"{closed.run_id} and {open_book.run_id} prepare their answers differently: their references are not the "
            "same."
        )
    limits = dict(zip(sides, most_tokens, strict=True))
    reader_side, reader = _PLACES[READER]
    compared = [
        (name, metric, numbers(sides[side], f"{prefix}_{metric}"), numbers(sides[reader_side], f"{reader}_{metric}"))
        for name, (side, prefix) in _PLACES.items()
        if name != READER
        for metric in JUDGED
    ]
    judged = judge_family(compared, groups)
    made = [
        Way(name, _values(sides[side], prefix, limits[side]), judged.get(name, {}))
        for name, (side, prefix) in _PLACES.items()
    ]
    known = tuple(one for one in made if "content_f1" in one.values)
    return Ways(closed.run_id, open_book.run_id, len(groups), len(set(groups)), known)


def _values(rows: pd.DataFrame, prefix: str, most_tokens: int | None) -> dict[Figure, float]:
    tokens = numbers(rows, f"{prefix}_answer_tokens")
    columns = {name: numbers(rows, f"{prefix}_{name}") for name in get_args(Figure)}
    if most_tokens is not None and np.isfinite(tokens).all():
        columns["ended"] = (tokens < most_tokens).astype(float)
    return {name: float(np.nanmean(values)) for name, values in columns.items() if np.isfinite(values).any()}
