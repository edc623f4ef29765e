"""One metric of an evaluation as everybody reads it: its values, its test, and the verdict that its numbers support."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS, Spec
from medqa_core.runs.schema.evaluation import Metric, Verdict

LEVEL = 0.95
"""The convention where a file does not state the level of its intervals."""


@dataclass(frozen=True)
class MetricView:
    """One metric on the same questions for both models; None is "not known"."""

    name: str
    base: float | None = None
    fine_tuned: float | None = None
    difference: float | None = None
    """fine_tuned − base, in the metric's unit; of MMLU as a share of one."""
    interval: tuple[float, float] | None = None
    """Of the difference, at `level`."""
    level: float = LEVEL
    p: float | None = None
    n: int | None = None
    """Questions."""
    groups: int | None = None
    verdict: Verdict = "cannot tell"
    """The file's verdict if its own numbers support it, else `cannot tell`."""
    stated: Verdict = "cannot tell"
    """The file's verdict as it stands there."""
    margin: float | None = None
    """Differences smaller than this are of no practical weight."""
    min_detectable_effect: float | None = None
    required_n: int | None = None
    """Questions with which a difference as small as the margin would be found."""
    reason: str | None = None
    """Why the verdict is `cannot tell`, where that is not the interval's doing."""

    @classmethod
    def of(cls, name: str, metric: Metric) -> "MetricView":
        """The view of a metric as evaluation.json holds it."""
        return cls(
            name=name,
            base=metric.base,
            fine_tuned=metric.fine_tuned,
            difference=metric.difference,
            interval=metric.ci,
            level=metric.level or LEVEL,
            p=metric.p,
            n=metric.n,
            groups=metric.groups,
            verdict=supported(name, metric),
            stated=metric.verdict,
            margin=metric.margin,
            min_detectable_effect=metric.min_detectable_effect,
            required_n=metric.required_n,
            reason=metric.reason,
        )

    @property
    def spec(self) -> Spec:
        """The metric's label, unit, digits and direction."""
        return METRICS[self.name]

    @property
    def label(self) -> str:
        """The metric's name."""
        return self.spec.label

    @property
    def compared(self) -> bool:
        """Whether both models have a figure."""
        return self.base is not None and self.fine_tuned is not None

    @property
    def known(self) -> bool:
        """Whether one of the models has a figure."""
        return self.base is not None or self.fine_tuned is not None


def metric_views(metrics: Mapping[str, Metric] | Iterable[tuple[str, Metric]]) -> dict[str, MetricView]:
    """Views by name, in the order in which the metrics come."""
    items = metrics.items() if isinstance(metrics, Mapping) else metrics
    return {str(name): MetricView.of(str(name), metric) for name, metric in items}


def whole(facts: Facts) -> dict[str, MetricView]:
    """The metrics on all test questions, in the file's order."""
    return metric_views(facts.metrics)


def clean(facts: Facts) -> dict[str, MetricView]:
    """The metrics on the clean subset; empty where none was measured."""
    return {} if facts.evaluation is None else metric_views((str(n), m) for n, m in facts.evaluation.clean.items())


def one(facts: Facts, name: str) -> MetricView | None:
    """One metric on all test questions; None where the evaluation does not hold it."""
    metric = facts.metric(name)
    return None if metric is None else MetricView.of(name, metric)


def supported(name: str, metric: Metric) -> Verdict:
    """The file's verdict if its own numbers support it, else `cannot tell`."""
    if metric.base is None or metric.fine_tuned is None or metric.verdict == "cannot tell":
        return "cannot tell"
    if metric.verdict == "equivalent":
        within = metric.ci is not None and (metric.margin is None or max(map(abs, metric.ci)) <= metric.margin)
        return "equivalent" if within else "cannot tell"
    sign = -1.0 if METRICS[name].lower_is_better else 1.0
    sign = sign if metric.verdict == "better" else -sign
    difference = metric.difference
    if difference is None or difference * sign <= 0:
        return "cannot tell"
    if metric.ci is not None:
        clear = min(bound * sign for bound in metric.ci) > 0
    else:
        clear = metric.p is not None and metric.p < 1 - (metric.level or LEVEL)
    return metric.verdict if clear else "cannot tell"
