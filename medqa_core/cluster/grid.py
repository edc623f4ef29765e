"""A sweep's trials: every combination of the values that are tried, as configurations of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.paths import check_run_id
from medqa_core.runs.schema.config import TrainConfig, validated
from medqa_core.runs.schema.record import SweepRecord

MOST = 99
"""Trials of one sweep."""
VARIED = ("learning_rate", "lora_rank", "train_size")
"""Fields that a sweep may vary."""


@dataclass(frozen=True)
class Trial:
    """One run of a sweep."""

    run_id: str
    config: TrainConfig
    sweep: SweepRecord


def trials(config: TrainConfig, values: Mapping[str, Sequence[str]], sweep: str) -> list[Trial]:
    """The trials of `config` with every combination of `values`, named `SWEEP-t01`, `SWEEP-t02`, …

    Their validation losses are compared, so all of them must be of the same questions: with several data sizes the
    validation set is taken whole, since sizes that are all given decide what each part may draw from.

    Raises:
        InputError: nothing to vary, a value out of range or given twice, or too many trials.
    """
    varied = {name: _distinct(name, values[name]) for name in VARIED if values.get(name)}
    count = 1
    for items in varied.values():
        count *= len(items)
    if count < 2:
        raise InputError("sweep: give several values of at least one of --learning-rate, --rank and --train-size.")
    if count > MOST:
        raise InputError(f"sweep: {count} trials are more than the {MOST} of one sweep; try fewer values.")
    if len(varied.get("train_size", ())) > 1:
        if any("." in item for item in varied["train_size"]) or _is_fraction(config.test_size):
            raise InputError("train_size: a sweep compares numbers of pairs, not fractions: those move the other sets.")
        if config.split_method == "random":
            raise InputError("train_size: a random split moves the validation set with it; use split_method=grouped.")
        config = config.model_copy(update={"validation_size": None})
    scale = config.lora_alpha / config.lora_rank
    found = []
    for number, chosen in enumerate(product(*varied.values()), 1):
        one = validated({**config.model_dump(), **dict(zip(varied, chosen, strict=True))})
        if "lora_rank" in varied:  # the adapter's scale stays what it is, so that the rank alone differs
            one = validated({**one.model_dump(), "lora_alpha": max(1, round(scale * one.lora_rank))})
        parameters = {name: getattr(one, name) for name in varied}
        named = check_run_id(f"{sweep}-t{number:02d}")
        found.append(Trial(named, one, SweepRecord(id=sweep, trial=number, parameters=parameters)))
    return found


def values_of(name: str, text: str | None) -> list[str]:
    """`5e-4,1e-3` as its items.

    Raises:
        InputError: an empty item.
    """
    items = [item.strip() for item in text.split(",")] if text is not None else []
    if not all(items):
        raise InputError(f"{name}: give values between commas, such as 5e-4,1e-3; {text!r} has an empty one.")
    return items


def _distinct(name: str, items: Sequence[str]) -> list[str]:
    if len(set(items)) < len(items):
        raise InputError(f"{name}: a value is given twice.")
    return list(items)


def _is_fraction(size: int | float | None) -> bool:
    return size is not None and 0 < size < 1
