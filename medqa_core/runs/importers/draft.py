"""What an importer found, before it becomes a run folder."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from medqa_core.runs.artifacts.series import Series
from medqa_core.runs.importers.source import line, number
from medqa_core.runs.schema.evaluation import ROUGE, Evaluation, Metric, MetricName
from medqa_core.runs.schema.record import (
    BaseModelRecord,
    Check,
    DataRecord,
    EnvironmentRecord,
    SplitSizes,
    TaskScore,
    TrainingKind,
)

FIGURE_LIMIT = 400
NO_BASE = "The source states no figure for the base model: there is nothing to compare with."
NO_BASE_FIGURES = "Base-model figures: what fine-tuning changed cannot be told."
NO_ANSWERS = "Per-question answers and losses: no confidence interval and no paired test."
NO_MMLU = "MMLU scores."
NO_DATE = "Date: none that can be read; the file's own date stands in."
"""What sources of several formats leave out, as a draft's `missing` says it."""
SHARES = (*ROUGE, "mmlu")
TEST_FIGURES: dict[MetricName, str] = {
    "loss": "test_loss",
    "perplexity": "perplexity",
    **{name: name for name in ROUGE},
    "mmlu": "mmlu",
}


class Figures:
    """The source's figures by name, each number with how far it may have been rounded."""

    def __init__(self) -> None:
        self.values: dict[str, float | int | str] = {}
        self._half: dict[str, float] = {}

    def add(self, name: str, value: Any, text: str | None = None) -> bool:
        """Keep `value` unless the name is taken or the value is neither text nor a usable number.

        `text` is the number as the source wrote it: `7.70` is known to 0.005, which the float no longer says.
        """
        kept = number(value) if not isinstance(value, str) else line(value)
        if kept is None or kept == "" or name in self.values or len(self.values) >= FIGURE_LIMIT:
            return False
        self.values[name] = kept
        if not isinstance(kept, str):
            self._half[name] = half_a_unit(text if text is not None else repr(kept))
        return True

    def get(self, name: str) -> float | int | None:
        """A number, or None where the source states none."""
        value = self.values.get(name)
        return None if isinstance(value, str) else value

    def half(self, name: str) -> float:
        """Half a unit of the number's last stated digit."""
        return self._half.get(name, 0.0)

    def count(self, name: str) -> int | None:
        """A whole number of things, or None."""
        value = self.get(name)
        return int(value) if value is not None and 0 <= value < 2**53 and value == int(value) else None


def half_a_unit(text: str) -> float:
    """Half a unit of the last digit of a number; 0 for a whole number, which is taken as exact."""
    try:
        exponent = Decimal(text.replace(",", "")).as_tuple().exponent
    except InvalidOperation:
        return 0.0
    return 0.5 * 10.0**exponent if isinstance(exponent, int) and -300 < exponent < 0 else 0.0


@dataclass
class Draft:
    """Everything that a run folder of kind `imported` is made of."""

    format: Literal["summary", "trainer", "lm-eval", "inspect", "model", "curve"]
    source: str
    sha256: str | None
    figures: Figures
    suggested_id: str
    title: str
    number: int | None = None
    description: str = ""
    created_at: datetime | None = None
    """None where the source states no date."""
    base_model: BaseModelRecord | None = None
    environment: EnvironmentRecord = field(default_factory=EnvironmentRecord)
    sections: dict[str, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    training: TrainingKind | None = None
    series: list[Series] = field(default_factory=list)
    tasks: list[TaskScore] = field(default_factory=list)
    items: pd.DataFrame | None = None
    """Which items were answered right, as rows of `items.parquet`."""
    checks: list[Check] = field(default_factory=list)
    evaluation: Evaluation | None = None
    metrics_lines: list[str] = field(default_factory=list)
    mmlu: bytes | None = None

    def data(self) -> DataRecord | None:
        """The data as the figures describe them, or None where they do not."""
        name = self.figures.values.get("dataset")
        if not isinstance(name, str):
            return None
        sizes = [self.figures.count(f"{part}_size") for part in ("train", "validation", "test")]
        train, validation, test = sizes
        if train is None or validation is None or test is None:
            return DataRecord(source=name)
        return DataRecord(source=name, split=SplitSizes(train=train, validation=validation, test=test))


def evaluation_of(figures: Figures, names: dict[MetricName, str] | None = None) -> Evaluation | None:
    """The test figures as `evaluation.json`: no base model, hence no verdict. None where there are none.

    `names` maps a metric to the figure that holds it; the first one found is the primary metric.
    """
    metrics: dict[MetricName, Metric] = {}
    for metric, name in (names or TEST_FIGURES).items():
        value = figures.get(name)
        if value is None or (metric in SHARES and not 0 <= value <= 1):
            continue
        metrics[metric] = Metric(fine_tuned=float(value), verdict="cannot tell", reason=NO_BASE)
    if not metrics:
        return None
    return Evaluation(primary_metric=next(iter(metrics)), metrics=metrics)


def date_from(seconds: Any) -> datetime | None:
    """Seconds since the epoch as a date, or None where they are no date of our age."""
    value = number(seconds)
    if value is None or not math.isfinite(value) or not 0 < value < 2**36:
        return None
    return datetime.fromtimestamp(float(value), UTC).replace(microsecond=0)


def modified(path: Path) -> datetime | None:
    """When a file was last changed, or None."""
    try:
        return date_from(path.stat().st_mtime)
    except (OSError, ValueError):
        return None
