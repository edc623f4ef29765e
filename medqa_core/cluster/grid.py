"""A sweep's grid: every combination of the values to try, as a trial with a configuration of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.paths import check_run_id
from medqa_core.runs.schema.config import TrainConfig, validated
from medqa_core.runs.schema.record import SweepRecord

MOST = 99
"""Trials of one sweep."""
VARIED = ("learning_rate", "lora_rank", "train_size")
"""Fields that a sweep may vary."""


@dataclass(frozen=True)
class TrialSpec:
    """One run of a sweep: its configuration and its place in the grid."""

    run_id: str
    config: TrainConfig
    sweep: SweepRecord


def trials(config: TrainConfig, values: Mapping[str, Sequence[str]], sweep: str) -> list[TrialSpec]:
    """The trials of `config` with every combination of `values`, named `SWEEP-t01`, `SWEEP-t02`, …

    Their validation losses are compared, so all of them must be of the same questions: with several data sizes the
    validation set is taken whole, since sizes that are all given decide what each part may draw from.

    Raises:
        InputError: nothing to vary, a value out of range or given twice, or too many trials.
    """
    varied = {name: _distinct(config, name, values[name]) for name in VARIED if values.get(name)}
    count = 1
    for items in varied.values():
        count *= len(items)
    if count < 2:
        raise InputError(
            "give several values of at least one of --learning-rate, --rank and --train-size.", field="sweep"
        )
    if count > MOST:
        raise InputError(f"{count} trials are more than the {MOST} of one sweep; try fewer values.", field="sweep")
    if len(varied.get("train_size", ())) > 1:
        if any(isinstance(size, float) for size in varied["train_size"]) or _is_fraction(config.test_size):
            raise InputError(
                "a sweep compares numbers of pairs, not fractions: those change the other splits.", field="train_size"
            )
        if config.split_method == "random":
            raise InputError(
                "a random split changes the validation set with it; use split_method=grouped.", field="train_size"
            )
        config = config.model_copy(update={"validation_size": None})
    scale = config.lora_alpha / config.lora_rank
    found = []
    for number, chosen in enumerate(product(*varied.values()), 1):
        one = validated({**config.model_dump(), **dict(zip(varied, chosen, strict=True))})
        if "lora_rank" in varied:  # the adapter's scale stays what it is, so that the rank alone differs
            one = validated({**one.model_dump(), "lora_alpha": max(1, round(scale * one.lora_rank))})
        parameters = {name: getattr(one, name) for name in varied}
        named = check_run_id(f"{sweep}-t{number:02d}")
        found.append(TrialSpec(named, one, SweepRecord(id=sweep, trial=number, parameters=parameters)))
    return found


def values_of(name: str, text: str | None) -> list[str]:
    """`5e-4,1e-3` as its items.

    Raises:
        InputError: an empty item.
    """
    items = [item.strip() for item in text.split(",")] if text is not None else []
    if not all(items):
        raise InputError(f"give values between commas, such as 5e-4,1e-3; {text!r} has an empty one.", field=name)
    return items


def _distinct(config: TrainConfig, name: str, items: Sequence[str]) -> list[Any]:
    """The items as the field's values, so that 1e-3 and 0.001 are one."""
    found = [getattr(validated({**config.model_dump(), name: item}), name) for item in items]
    if len(set(found)) < len(found):
        raise InputError("a value is given twice.", field=name)
    return found


def _is_fraction(size: int | float | None) -> bool:
    return size is not None and 0 < size < 1
