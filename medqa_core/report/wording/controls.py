"""Controls in words: what answers without a model are, and what reaching their scores means."""

from medqa_core.report.views.controls import ControlView, best_control
from medqa_core.report.views.metric import MetricView
from medqa_core.report.wording.metric import value_text

CONTROLS = (
    "Controls are answers without a model. From training data alone: the typical training answer of the question's "
    "pattern with the topic's name pasted in, and the answer to the nearest training question. Where passages are "
    "read: the first passage itself. A score that they reach as well shows no medical knowledge."
)
"""What a control is."""
_HOW = {
    "better": "The fine-tuned model is above it",
    "worse": "The fine-tuned model is below it",
    "equivalent": "The fine-tuned model is no different from it in practice",
    "cannot tell": "Whether the fine-tuned model is above it is inconclusive",
}


def sentence(controls: tuple[ControlView, ...], metric: MetricView | None) -> str:
    """The best control on one metric beside both models; why there is none, where one says so; else nothing."""
    best = None if metric is None else best_control(controls, metric.name)
    if metric is None or best is None or not metric.compared:
        reasons = [f"No {one.label}: {one.reason}" for one in controls if one.reason]
        return " ".join(reasons)
    against = best.fine_tuned.get(metric.name)
    values = [value_text(metric.name, value) for value in (best.values[metric.name], metric.base, metric.fine_tuned)]
    told = "" if against is None else f" {_HOW[against.verdict]}."
    return (
        f"Without any model, the {best.label} reaches {metric.label} {values[0]}; the base model {values[1]}, the "
        f"fine-tuned model {values[2]}.{told}"
    )
