"""Rows that trainers and trackers log, brought to one form: the same names, numbers as numbers, a whole step."""

import math
import re
from collections.abc import Iterable
from typing import Any

from medqa_core.runs.importers.source import number
from medqa_core.runs.metrics_log.rows import MOST_STEPS
from medqa_core.runs.schema.record import TrainingKind

STEPS = ("step", "global_step", "current_steps", "iteration", "iter", "_step", "steps")
OF_TOTAL = re.compile(r"\s*(\d{1,15})\s*/\s*(\d{1,15})\s*")
SAME = {
    "lr": "learning_rate",
    "gradient_norm": "grad_norm",
    "train_loss_step": "loss",
    "training_loss": "loss",
    "validation_loss": "eval_loss",
    "val_loss": "eval_loss",
    "percentage": None,
}
"""Other names of what Trainer logs; None: says nothing that the step does not."""
PARTS = {"train/": "", "training/": "", "eval/": "eval_", "validation/": "eval_", "val/": "eval_"}
"""How trackers put the part before a name."""
POLICY = re.compile(
    r"reward|objective/rlhf_reward|objective/kl|loss/policy_avg|policy/.+|rewards?/[^/]+/mean|reward_std"
)
PREFERENCE = re.compile(r"rewards/(margins|chosen|rejected|accuracies)|logps/(chosen|rejected)|log_odds_ratio")
REWARD_MODEL = {"mean_reward", "margin"}
"""What TRL's RewardTrainer logs together; each alone may be anything."""


def normalised(row: dict[str, Any]) -> dict[str, Any]:
    """A row under Trainer's names: texts that are numbers as numbers, the step a whole number where it has one.

    A training run that logs under `train/…` and `eval/…`, as trackers do, reads like one that logs under Trainer's own.
    """
    named = {key: as_number(value) for theirs, value in row.items() if (key := _name(theirs)) is not None}
    step = next((found for key in STEPS if (found := whole(named.get(key))) is not None), None)
    if step is None:
        step = next((done for key in row if (done := _of_total(key, row[key])) is not None), None)
    for key in (*STEPS, *(key for key in row if "/" in key and key.endswith("max_steps"))):
        if key != "step":
            named.pop(key, None)
    return named if step is None else {**named, "step": step}


def as_number(value: Any) -> Any:
    """A text that is nothing but a number as that number; anything else as it is."""
    if not isinstance(value, str) or len(value) > 40:
        return value
    try:
        return float(value.replace("%", "")) if value.strip().lower() not in ("", "%") else value
    except ValueError:
        return value


def whole(value: Any) -> int | None:
    """A step: a whole number from 0 on, however it is written; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MOST_STEPS:  # nor NaN
        return None
    return int(value) if value == int(value) else None


def kind_of_training(rows: Iterable[dict[str, Any]]) -> TrainingKind | None:
    """Which training logs such figures; None: a supervised one, or one that does not tell.

    DPO, ORPO, KTO and their like log rewards of chosen and rejected answers, a reward model by how much they differ;
    GRPO, PPO and RLOO log one reward of their own answers.
    """
    names = {key.removeprefix("eval_") for row in rows for key in row}
    if any(PREFERENCE.fullmatch(name) for name in names) or names >= REWARD_MODEL:
        return "preference"
    return "policy" if any(POLICY.fullmatch(name) for name in names) else None


def loss(value: Any) -> float | None:
    """A loss; one that is no number a double can hold counts as not finite, as a NaN does."""
    if value is None:
        return None
    kept = number(value)
    return math.nan if kept is None else float(kept)


def _name(theirs: Any) -> str | None:
    name = str(theirs)
    for part, ours in PARTS.items():
        if name.startswith(part):
            name = ours + name.removeprefix(part)
            break
    return SAME.get(name, name)


def _of_total(key: str, value: Any) -> int | None:
    """The 10 of `10/40` under a name such as `global_step/max_steps`."""
    found = OF_TOTAL.fullmatch(value) if isinstance(value, str) and "step" in key.lower() else None
    return int(found[1]) if found else None
