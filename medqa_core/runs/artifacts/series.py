"""`series.json`: what a source logged beside training and validation loss, kept as it is: a value a step, by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from medqa_core.foundation.files import write_json
from medqa_core.runs.metrics_log.rows import MOST_STEPS
from medqa_core.runs.reading import Reading, read_optional_model
from medqa_core.runs.schema.record import Line, Record, TrainingKind

SERIES = "series.json"
MOST_SERIES = 200
MOST_POINTS = 20_000
"""Of one series."""
DRAWN: dict[TrainingKind, tuple[str, ...]] = {
    "preference": ("rewards/margins", "rewards/accuracies", "rewards/chosen", "rewards/rejected", "margin", "accuracy"),
    "policy": ("reward", "kl", "reward_std", "completion_length", "completions/mean_length", "objective/kl"),
}
"""What a kind of training is about, so that pages draw it without being asked."""


class Series(Record):
    """One named figure over the steps of a training."""

    name: Line
    """As the source calls it, without the part that says of which data it is; `loss` of an evaluation set."""
    split: Literal["train", "validation"]
    evaluation_set: Line | None = None
    """Which of several validation sets it is of; None: the only one, or the training."""
    steps: list[int] = Field(max_length=MOST_POINTS)
    values: list[float | None] = Field(max_length=MOST_POINTS)
    """None: not a finite number."""

    @model_validator(mode="after")
    def _whole(self) -> "Series":
        if len(self.steps) != len(self.values) or any(not 0 <= step < MOST_STEPS for step in self.steps):
            raise ValueError("a series has a value for each of its steps")
        return self

    @property
    def is_set_loss(self) -> bool:
        """Whether it is the loss on one of several evaluation sets: a curve like the validation loss."""
        return self.name == "loss" and bool(self.evaluation_set)

    @property
    def label(self) -> str:
        """The name that tells it from the others of its run."""
        of = self.evaluation_set or ("validation" if self.split == "validation" else "")
        return f"{self.name} ({of})" if of else self.name

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values where the value is a number, in step order; of a step logged twice the later one counts."""
        found = {step: value for step, value in zip(self.steps, self.values, strict=True) if value is not None}
        order = sorted(found)
        return np.array(order, dtype=np.float64), np.array([found[step] for step in order], dtype=np.float64)


class SeriesFile(Record):
    """The whole of `series.json`."""

    schema_version: Literal[1] = 1
    series: list[Series] = Field([], max_length=MOST_SERIES)


def write_series(folder: Path, series: Sequence[Series]) -> None:
    """Write the file of a run that is being made."""
    write_json(folder / SERIES, SeriesFile(series=list(series)).model_dump(mode="json"))


def read_series(folder: Path) -> Reading[tuple[Series, ...]]:
    """The run's series; none where there is no file or it cannot be read."""
    found = read_optional_model(folder, SERIES, SeriesFile)
    return Reading(tuple(found.value.series) if found.value is not None else (), found.problems)
