"""The controls of an evaluation as everybody reads them: answers without a model, and the models against them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from medqa_core.report.facts import Facts
from medqa_core.report.names import CONTROLS, METRICS, MODELS
from medqa_core.report.views.metric import MetricView, metric_views
from medqa_core.runs.schema.evaluation import Control, Metric, MetricName


@dataclass(frozen=True)
class ControlView:
    """One control."""

    name: str
    values: Mapping[str, float]
    """Its own value, by metric."""
    base: Mapping[str, MetricView]
    """The base model against it: `base` of each is the control's value, `fine_tuned` the model's."""
    fine_tuned: Mapping[str, MetricView]
    with_sources: Mapping[str, MetricView]
    answered: int | None
    mean_words: float | None
    reason: str | None
    """Why there is no such answer, where that is so."""

    @classmethod
    def of(cls, name: str, control: Control) -> "ControlView":
        """The view of a control as evaluation.json holds it."""
        values = {str(metric): value for metric, value in control.values.items()}
        return cls(
            name,
            values,
            _views(control.base),
            _views(control.fine_tuned),
            _views(control.with_sources),
            control.answered,
            control.mean_words,
            control.reason,
        )

    @property
    def label(self) -> str:
        """What it is called."""
        return CONTROLS[self.name]


def control_views(facts: Facts) -> tuple[ControlView, ...]:
    """The controls that were measured, in the order of CONTROLS; none of an older evaluation."""
    found = {str(name): control for name, control in facts.evaluation.controls.items()} if facts.evaluation else {}
    return tuple(ControlView.of(name, found[name]) for name in CONTROLS if name in found)


def best_control(controls: tuple[ControlView, ...], metric: str) -> ControlView | None:
    """The one that does best on a metric; None where none has a value."""
    known = [one for one in controls if metric in one.values]
    sign = -1 if METRICS[metric].lower_is_better else 1
    return max(known, key=lambda one: sign * one.values[metric], default=None)


def comparison_rows(facts: Facts) -> list[dict[str, Any]]:
    """Each model against each control on each metric as a flat row, for tables that are downloaded."""
    return [
        {"control": control.name, "model": model, "metric": name}
        | {field: value for field, value in asdict(metric).items() if field != "name"}
        for control in control_views(facts)
        for model in MODELS
        for name, metric in getattr(control, model).items()
    ]


def _views(metrics: Mapping[MetricName, Metric]) -> dict[str, MetricView]:
    return metric_views((str(name), metric) for name, metric in metrics.items())
