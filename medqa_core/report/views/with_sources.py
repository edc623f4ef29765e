"""Answers given after reading passages, against both models' without them, as data."""

from dataclasses import dataclass

from medqa_core.report.names import METRICS, WORDING
from medqa_core.report.views.metric import MetricView, metric_views
from medqa_core.runs.schema.evaluation import VARIANTS, WithSources


@dataclass(frozen=True)
class Comparison:
    """The answers with passages against one model's. In its metrics `fine_tuned` is the value with passages."""

    variant: str
    """The model that is compared with: `base` or `fine_tuned`."""
    own: bool
    """Whether that model's weights are those that read the passages."""
    metrics: dict[str, MetricView]

    @property
    def wording(self) -> MetricView | None:
        """The first wording metric that was compared; None where none was."""
        return next((self.metrics[n] for n in WORDING if n in self.metrics and self.metrics[n].compared), None)


@dataclass(frozen=True)
class PassagesRow:
    """One metric's three values and both comparisons."""

    name: str
    base: MetricView
    fine_tuned: MetricView

    @property
    def with_passages(self) -> float | None:
        """The value of the answers with passages."""
        return self.base.fine_tuned if self.base.fine_tuned is not None else self.fine_tuned.fine_tuned


def own_hidden(found: WithSources) -> bool:
    """Whether the passages are of other documents than the question's own."""
    read = found.protocol.retrieval
    return read is not None and read.library == "other documents"


def comparisons(found: WithSources) -> tuple[Comparison, ...]:
    """Against the base model, then against the fine-tuned one."""
    parts = (found.against_base, found.against_fine_tuned)
    return tuple(
        Comparison(variant, variant == found.weights, metric_views(part.items()))
        for variant, part in zip(VARIANTS, parts, strict=True)
    )


def passages_rows(found: WithSources) -> tuple[PassagesRow, ...]:
    """A row for each metric that was measured against either model."""
    base, tuned = (comparison.metrics for comparison in comparisons(found))
    names = [name for name in METRICS if name in base or name in tuned]
    return tuple(PassagesRow(n, base.get(n, MetricView(n)), tuned.get(n, MetricView(n))) for n in names)
