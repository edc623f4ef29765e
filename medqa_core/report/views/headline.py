"""The four figures that matter: loss, perplexity or bits per byte, ROUGE-L and MMLU."""

from dataclasses import dataclass

from medqa_core.report.facts import Facts
from medqa_core.report.views.figures import Figure, Origin, figure_of, figures
from medqa_core.report.views.metric import MetricView, whole
from medqa_core.runs.run import Run


@dataclass(frozen=True)
class Headline:
    """One of the four: both models' values where both are known, else what is known of the fine-tuned model."""

    metric: MetricView
    figure: Figure
    """The fine-tuned model's figure: a value, the source's words, or nothing."""

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.metric.name

    @property
    def label(self) -> str:
        """What the figure is called."""
        return self.figure.label

    @property
    def origin(self) -> Origin:
        """Who says so."""
        return self.figure.origin

    @property
    def compared(self) -> bool:
        """Whether both models have a value."""
        return self.metric.compared


def four(run: Run | Facts) -> tuple[Headline, ...]:
    """The four figures, in the order in which they are shown."""
    facts = Facts.of(run)
    found, metrics = figures(facts), whole(facts)

    def known(name: str) -> bool:
        return found[name].value is not None or (name in metrics and metrics[name].base is not None)

    second = "bits_per_byte" if known("bits_per_byte") and not known("perplexity") else "perplexity"
    return tuple(
        Headline(metrics.get(name, MetricView(name)), figure_of(found, name))
        for name in ("loss", second, "rougeL", "mmlu")
    )
